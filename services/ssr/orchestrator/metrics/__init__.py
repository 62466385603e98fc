"""What an orchestrator measures: jobs, steps, the stages of a step, and its own work."""
