"""SSR by the OpenAI client, whole and as a stream of its reasoning. Needs `ssr up`, and `pip install openai`."""

from __future__ import annotations

import os

import openai

PROBLEM = "What is 15 % of 80?"


def main() -> None:
    url = os.environ.get("SSR_OPENAI_URL", "http://127.0.0.1:7680/v1")
    with openai.OpenAI(base_url=url, api_key=os.environ.get("SSR_API_KEY", "none")) as client:
        reply = client.chat.completions.create(
            model="ssr", messages=[{"role": "user", "content": PROBLEM}], extra_body={"ssr": {"paths": 3}}
        )
        print(reply.choices[0].message.content)  # noqa: T201
        with client.chat.completions.create(
            model="ssr-fast", messages=[{"role": "user", "content": PROBLEM}], stream=True
        ) as stream:
            for chunk in stream:
                if chunk.choices:
                    delta = chunk.choices[0].delta
                    print(getattr(delta, "reasoning", None) or delta.content or "", end="", flush=True)  # noqa: T201
        print()  # noqa: T201


if __name__ == "__main__":
    main()
