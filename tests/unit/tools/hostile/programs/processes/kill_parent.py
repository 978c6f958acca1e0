"""End the launcher, the parent, other processes."""

for pid in (HOST["launcher"], HOST["victim"], *HOST["siblings"]):
    for number in (signal.SIGURG, signal.SIGTERM):
        quietly(os.kill, pid, 0 if pid == HOST["launcher"] else number)
    try_to("a signal to another process", os.kill, pid, signal.SIGURG)
    call("tgkill", pid, pid, int(signal.SIGURG))
    handle = call("pidfd_open", pid, 0)
    if handle >= 0:
        call("pidfd_send_signal", handle, int(signal.SIGURG), None, 0)
quietly(os.kill, os.getppid(), signal.SIGTERM)
