"""Attach to other processes and stay attached."""

for pid in (HOST["victim"], *HOST["siblings"], HOST["launcher"], os.getppid()):
    for request in (16, 0x4206):
        if call("ptrace", request, pid, None, None) == 0 and pid != os.getppid():
            through("attached")
