"""`python -m ssr` is `ssr`."""

from ssr.cli.app import main

main()
