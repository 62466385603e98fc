"""The job queue and the jobs themselves, in Redis. `keys` names every key; the transitions are in scripts/."""
