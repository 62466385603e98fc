"""The end-to-end mode of `ssr bench consensus`: the same prompts to a vLLM with one way of drafting after the other."""
