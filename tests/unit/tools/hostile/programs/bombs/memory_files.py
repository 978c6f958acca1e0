"""Memory as files that no mapping shows: memfd, secret memory, the shared memory folder."""

held = 0
files = []
for _ in range((HOST["memory_mb"] + 96) // 32):
    if file := quietly(os.memfd_create, "hostile"):
        with contextlib.suppress(OSError):
            for _ in range(32):
                held += os.write(file, b"x" * (1 << 20))
        files.append(file)
folders = 0
for folder in ("/dev/shm", "/tmp", "/run"):
    with contextlib.suppress(OSError), open(f"{folder}/{HOST['name']}", "wb") as file:
        for _ in range(600):
            folders += file.write(b"x" * (1 << 20))
            file.flush()
    quietly(os.unlink, f"{folder}/{HOST['name']}")
time.sleep(1)
if held >> 20 > HOST["memory_mb"] or folders >> 20 > 520:
    through(f"{held >> 20} MB of memory files, {folders >> 20} MB in folders")
