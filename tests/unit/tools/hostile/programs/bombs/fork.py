"""Processes without end, each making more."""

end = time.monotonic() + 1.5


def grow():
    while time.monotonic() < end:
        quietly(os.fork)
    time.sleep(3)
    os._exit(0)


for _ in range(4):
    quietly(spawn, grow)
count = 0
try:
    while count < 300:
        spawn(lambda: time.sleep(3), 4)
        count += 1
    through(f"{count} children")
except OSError:
    pass
