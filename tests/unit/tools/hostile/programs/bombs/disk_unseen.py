"""Files that have no name any more still take room."""

block = b"x" * (2 << 20)
held, size = [], 0
with contextlib.suppress(OSError):
    for _ in range(HOST["disk_mb"] // 2 + 100):
        held.append(open("unseen", "w+b", 0))
        os.unlink("unseen")
        size += held[-1].write(block)
time.sleep(1)
if size >> 20 > HOST["disk_mb"] + 128:
    through(f"{size >> 20} MB without a name")
