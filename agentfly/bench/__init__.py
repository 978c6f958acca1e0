"""Benchmarks: datasets of tasks to run and to score. Start with `datasets.py`."""
