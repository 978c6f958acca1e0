"""Type into a terminal of the host, or write onto it."""

import fcntl
import glob

for path in (HOST["terminal"], "/dev/tty", "/dev/console", "/dev/tty0", *glob.glob("/dev/pts/[0-9]*")):
    fd = quietly(os.open, path, os.O_RDWR | os.O_NOCTTY)
    if fd is not None:
        through(f"{path} is open")
        if path == HOST["terminal"]:  # the only one that is there to be written to
            for letter in b"hostile\n":
                quietly(fcntl.ioctl, fd, 0x5412, bytes([letter]))
            quietly(os.write, fd, b"hostile")
for fd in range(3):
    with contextlib.suppress(OSError):
        fcntl.ioctl(fd, 0x5412, b"x")
        through("typed")
