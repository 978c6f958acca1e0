"""Leave at once."""

os._exit(0)
