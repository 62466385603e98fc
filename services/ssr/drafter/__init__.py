"""The draft model writes the next step of a path."""
