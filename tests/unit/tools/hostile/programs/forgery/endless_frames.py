"""Well-formed frames without end, so that the host is always busy with the next one."""

import stat

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
frame = b'\0\0\0\x0a{"op":"x"}' * 500
end = time.monotonic() + 12
while time.monotonic() < end:
    for fd in range(3, 64):
        if quietly(lambda f: stat.S_ISSOCK(os.fstat(f).st_mode), fd):
            quietly(os.write, fd, frame)
through("nobody stopped it")
