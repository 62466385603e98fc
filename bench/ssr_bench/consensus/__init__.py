"""`ssr bench consensus`: recorded samples replayed through drafters."""
