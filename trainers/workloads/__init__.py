"""Workloads: the file format, traces imported from elsewhere, recordings of running programs."""
