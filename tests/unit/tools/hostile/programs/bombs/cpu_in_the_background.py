"""Children that go on working when the block is over."""


def burn():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGXCPU})
    os.setsid()
    end = time.monotonic() + 6
    while time.monotonic() < end:
        pass


for _ in range(3):
    spawn(burn)
