"""One line of many megabytes, and an exception as long."""

sys.stdout.write("long " * 1_600_000)
raise ValueError("long " * 1_000_000)
