"""The commands of `ssr bench`, found by the entry point group "ssr.commands"."""
