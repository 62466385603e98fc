"""Whether SSR pays off: problems with known answers, solved in every mode, graded, accounted, and shown in figures.

One way through it: `dataset` and `hub` give problems, `plan` says what is run, `runner` runs it and appends to a
`run_directory`; `results` reads that back, `accounting`, `statistics`, `calibration` and `series` compute, `figures`
and `report` log. Everything reported is computed from the records.
"""
