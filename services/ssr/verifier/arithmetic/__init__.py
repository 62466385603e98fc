"""The equations of a step: found in its text, and decided exactly."""
