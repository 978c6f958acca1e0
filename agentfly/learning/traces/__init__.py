"""Learning from attempts that somebody else recorded. Start with `learning.py`."""
