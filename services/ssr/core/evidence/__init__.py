"""Evidence: how sure the votes of finished paths make an answer, and whether another path is worth its price."""
