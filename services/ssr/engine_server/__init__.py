"""LLM servers of SSR's own, with TGI's HTTP API: llama.cpp (`embedded`), and one without a model (`simulated`)."""
