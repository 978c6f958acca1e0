"""A chain of processes that are never there long enough to be found."""


def run_away():
    os.setsid()
    end = time.monotonic() + 6
    while time.monotonic() < end:
        if os.fork():
            os._exit(0)
        time.sleep(0.001)


for _ in range(4):
    spawn(run_away)
