"""Trace a child of one's own, to make system calls in its name that a filter would refuse."""

child = spawn(lambda: time.sleep(2), 3)
if call("ptrace", 16, child, None, None) == 0:
    through("a child is traced")
quietly(os.kill, child, signal.SIGKILL)
