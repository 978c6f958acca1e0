"""Many files of 2 MB."""

block = b"x" * (2 << 20)
with contextlib.suppress(OSError):
    for number in range(HOST["disk_mb"] // 2 + 100):
        with open(f"part{number}.bin", "wb", 0) as file:
            file.write(block)
time.sleep(1)
if sum(os.stat(name).st_blocks for name in os.listdir()) >> 11 > HOST["disk_mb"] + 128:
    through("many files")
