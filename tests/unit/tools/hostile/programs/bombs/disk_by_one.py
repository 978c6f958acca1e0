"""One file that grows; also reserved without being written."""

block = b"x" * (1 << 20)
with contextlib.suppress(OSError), open("large.bin", "wb", 0) as file:
    for _ in range(HOST["disk_mb"] + 160):
        file.write(block)
with contextlib.suppress(OSError), open("reserved.bin", "wb") as file:
    os.posix_fallocate(file.fileno(), 0, (HOST["disk_mb"] + 160) << 20)
time.sleep(1)
if sum(os.stat(name).st_blocks for name in os.listdir()) >> 11 > HOST["disk_mb"] + 128:
    through("a large file")
