"""`python -m ssr` is `ssr`."""

from ssr.cli import main

main()
