"""The public API, the job queue, and the loop that runs SSR; all of its state is in Redis."""
