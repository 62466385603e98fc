"""How a running SSR is watched: metrics for Prometheus, traces over OTLP, log lines with the ids they are about.

A class of metrics for each noun (`job_metrics.JobMetrics`, ...) takes the registry of the one process it is in;
docs/operate/metrics.md has a table of them all. The services decide what is counted where; the core knows nothing of
it.
"""
