"""Whether two final answers are the same mathematics, decided with math-verify in a process of its own."""
