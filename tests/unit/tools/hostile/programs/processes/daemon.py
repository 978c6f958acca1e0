"""Fork twice, leave the session, keep output and channel open, and stay."""


def stay():
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    if os.fork():
        os._exit(0)
    os.chdir("/")
    time.sleep(20)


for _ in range(3):
    spawn(stay, 25)
