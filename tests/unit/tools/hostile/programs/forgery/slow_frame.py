"""A frame that never becomes whole."""

import stat

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
sockets = [fd for fd in range(3, 256) if quietly(lambda f: stat.S_ISSOCK(os.fstat(f).st_mode), fd)]
for fd in sockets:
    quietly(os.write, fd, b"\0\x10\0\0{")
end = time.monotonic() + 12
while time.monotonic() < end:
    time.sleep(0.05)
    for fd in sockets:
        quietly(os.write, fd, b" ")
through("nobody stopped it")
