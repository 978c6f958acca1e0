"""Learning beyond one run at a time: from traces that somebody else recorded."""
