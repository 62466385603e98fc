"""Asks the gateway a problem, as a client of OpenAI does: `helm test` passes when there is an answer.

Arguments: SCHEME HOST:PORT MODEL SECONDS PROBLEM [AUTHORITY [CERTIFICATE KEY]], the last of them PEM files.
"""

import json
import os
import ssl
import sys
from urllib.request import Request, urlopen

scheme, address, model, limit_s, problem, *files = sys.argv[1:]
context = ssl.create_default_context(cafile=files[0]) if files else None
if context and files[1:]:
    context.load_cert_chain(*files[1:])
body = {"model": model, "messages": [{"role": "user", "content": problem}]}
headers = {"content-type": "application/json", "authorization": f"Bearer {os.environ.get('SSR_API_KEY', 'none')}"}
request = Request(f"{scheme}://{address}/v1/chat/completions", json.dumps(body).encode(), headers)
with urlopen(request, timeout=float(limit_s), context=context) as reply:
    answered = json.load(reply)
print(answered["choices"][0]["message"]["content"])  # noqa: T201 - for the pod's log
sys.exit(0 if answered["ssr"]["answer"] else "the job ended without an answer")
