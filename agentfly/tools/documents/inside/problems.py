"""What can be wrong with a file, in words that say what to do instead."""

from __future__ import annotations


class Unreadable(Exception):
    """The file cannot be read this way; the text goes to the model."""
