"""HTML pages: one file each, with nothing to fetch. Start with `learning.py`."""
