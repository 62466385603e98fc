"""How well and how soon answers are compared: generated pairs, and hostile jobs beside ordinary ones."""
