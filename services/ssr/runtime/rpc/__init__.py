"""gRPC, the same for every service: servers, channels, error codes, and the conversion of messages."""
