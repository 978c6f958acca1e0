"""End the group that the program is in, and the parent's."""

quietly(os.kill, os.getppid(), signal.SIGKILL)
quietly(os.killpg, quietly(os.getpgid, os.getppid()) or 0, signal.SIGURG)
os.killpg(0, signal.SIGKILL)
