"""Take every signal, put a trace on every line, and switch the collector off."""

import gc

for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    quietly(signal.signal, number, lambda *a: None)
sys.settrace(lambda *a: None)
sys.setprofile(lambda *a: None)
gc.disable()
sys.setrecursionlimit(60)
