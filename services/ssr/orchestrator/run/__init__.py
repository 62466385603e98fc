"""Running one job: the core's algorithm with its stages as gRPC services and its journal in Redis."""
