"""TGI's HTTP API over any `Backend`: the embedded model and the simulated one both stand behind it."""
