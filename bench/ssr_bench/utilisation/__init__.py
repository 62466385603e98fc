"""How much of an engine's own speed is left of it through SSR: raw generation and every mode, side by side."""
