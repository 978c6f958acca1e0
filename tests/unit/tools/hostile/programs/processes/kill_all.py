"""End everything that may be ended."""

quietly(os.kill, -1, signal.SIGURG)
quietly(os.kill, -1, signal.SIGCONT)
if HOST["own_user"] or os.getpid() < 64:  # never with the person's own processes in reach
    quietly(os.kill, -1, signal.SIGKILL)
