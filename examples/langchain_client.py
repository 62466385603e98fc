"""SSR as a chat model of LangChain. Needs `ssr up`, and `pip install langchain-openai`."""

from __future__ import annotations

import os

from langchain_openai import ChatOpenAI
from pydantic import SecretStr


def main() -> None:
    model = ChatOpenAI(
        model="ssr",
        base_url=os.environ.get("SSR_OPENAI_URL", "http://127.0.0.1:7680/v1"),
        api_key=SecretStr(os.environ.get("SSR_API_KEY", "none")),
        extra_body={"ssr": {"paths": 3}},
    )
    print(model.invoke("What is 15 % of 80?").content)  # noqa: T201
    for reply in model.batch(["What is 2 + 2?", "What is (12 * 7) + 19?"]):
        print(reply.content)  # noqa: T201


if __name__ == "__main__":
    main()
