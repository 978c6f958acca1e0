"""Leave by the door."""

sys.exit(3)
