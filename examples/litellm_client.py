"""SSR by LiteLLM's library. Needs `ssr up`, and `pip install litellm`, which is large: in an environment of its own."""

from __future__ import annotations

import os

import litellm

ASKED = {
    "model": "openai/ssr",  # "openai/" for any server of OpenAI's API, then the gateway's model
    "api_base": os.environ.get("SSR_OPENAI_URL", "http://127.0.0.1:7680/v1"),
    "api_key": os.environ.get("SSR_API_KEY", "none"),
    "messages": [{"role": "user", "content": "What is 15 % of 80?"}],
}


def main() -> None:
    reply = litellm.completion(**ASKED, extra_body={"ssr": {"paths": 3}})
    print(reply.choices[0].message.reasoning_content)  # noqa: T201
    print(reply.choices[0].message.content)  # noqa: T201
    for chunk in litellm.completion(**ASKED, stream=True):
        delta = chunk.choices[0].delta
        print(getattr(delta, "reasoning_content", None) or delta.content or "", end="", flush=True)  # noqa: T201
    print()  # noqa: T201


if __name__ == "__main__":
    main()
