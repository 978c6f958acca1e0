"""Many processes, each with less than one may have."""

reading, writing = os.pipe()
os.set_blocking(reading, False)
size = HOST["memory_mb"] // 3


def eat():
    piece = bytearray(size << 20)
    for at in range(0, len(piece), 4096):
        piece[at] = 1
    os.write(writing, b"x")
    time.sleep(4)


for _ in range(7):
    quietly(spawn, eat, 6)
held, end = 0, time.monotonic() + 2
while held < 7 and time.monotonic() < end:
    held += len(quietly(os.read, reading, 10) or b"")
    time.sleep(0.02)
time.sleep(1.5)
if held * size > 1.9 * HOST["memory_mb"]:
    through(f"{held} processes of {size} MB")
