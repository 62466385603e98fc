"""The gateway: SSR behind the OpenAI API. It holds no state: what it knows of a job is in the job."""
