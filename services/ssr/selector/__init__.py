"""SPM, the Selective Parallel Module: the target ranks the approaches for a problem."""
