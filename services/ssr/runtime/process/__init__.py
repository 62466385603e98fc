"""Entry points: what every process of SSR does before and around its service."""
