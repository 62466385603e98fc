"""The public API: taking requests in, and showing jobs to those who ask."""
