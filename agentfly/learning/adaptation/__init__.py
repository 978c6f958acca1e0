"""Learning over a dataset. Start with `course.py`."""
