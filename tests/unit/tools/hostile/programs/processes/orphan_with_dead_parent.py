"""Leave children behind and end the worker."""


def stay():
    os.setsid()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGHUP})
    time.sleep(20)


for _ in range(3):
    spawn(stay, 25)
os._exit(0)
