"""Calls of tools without end: time in tools is not the block's."""

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
end = time.monotonic() + 12
while time.monotonic() < end:
    with contextlib.suppress(BaseException):
        helper("x")  # the tool that this worker has
through("nobody stopped it")
