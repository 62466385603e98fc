"""Whether two answers that were read say the same, by value."""
