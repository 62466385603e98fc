"""The commands of `ssr`, one module each, and how they show a job."""
