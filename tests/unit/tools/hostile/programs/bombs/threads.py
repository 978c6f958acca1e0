"""Threads without end."""

stop = threading.Event()
threads = []
try:
    while len(threads) < 1_000:
        thread = threading.Thread(target=stop.wait, args=(3,), daemon=True)
        thread.start()
        threads.append(thread)
    through("1000 threads")
except RuntimeError:
    pass
stop.set()
