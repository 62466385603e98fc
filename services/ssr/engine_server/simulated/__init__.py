"""A language model server without a model: scripted mathematics, a latency model, planned faults."""
