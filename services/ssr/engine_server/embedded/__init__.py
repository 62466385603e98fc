"""llama.cpp inside this process, as a `Backend` of the TGI-shaped server."""
