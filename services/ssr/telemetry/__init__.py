"""What is told of a running service: metrics, traces and log lines."""
