"""What every process of SSR stands on: settings, gRPC, Redis, telemetry, and the life of a process."""
