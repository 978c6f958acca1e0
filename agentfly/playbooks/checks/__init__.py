"""Checks as data: the library they may call, what may stand in one, and what the record says of one. Nothing runs here."""
