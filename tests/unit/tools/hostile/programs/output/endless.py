"""Print without end."""

while True:
    os.write(1, b"hostile " * 1_000)
