"""Running a benchmark: attempts at tasks, made side by side, and every one of them on record. Start with `runner.py`."""
