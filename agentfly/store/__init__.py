"""The home folder and the SQLite database in it: the truth about everything an agent has learned."""
