"""Memory of the launcher, of other processes and of the parent, by every way that there is."""


def scan(pid):
    for line in open(f"/proc/{pid}/maps"):
        if "[stack]" in line or "[heap]" in line:
            first, last = (int(n, 16) for n in line.split()[0].split("-"))
            with open(f"/proc/{pid}/mem", "rb", 0) as memory:
                memory.seek(first)
                os.write(1, memory.read(min(last - first, 4 << 20)))


class Piece(ctypes.Structure):
    _fields_ = (("at", ctypes.c_void_p), ("size", ctypes.c_size_t))


pids = (HOST["launcher"], HOST["victim"], os.getppid(), *HOST["siblings"])
room = ctypes.create_string_buffer(64)
for pid in pids:
    if pid != HOST["launcher"]:  # which holds more than canaries
        quietly(scan, pid)
    quietly(lambda p: open(f"/proc/{p}/mem", "r+b"), pid)
    here, there = Piece(ctypes.addressof(room), 64), Piece(HOST["address_of_secret"], 64)
    if call("process_vm_readv", pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) > 0:
        os.write(1, room.raw)
    handle = call("pidfd_open", pid, 0)
    if handle >= 0:
        for fd in range(10):
            if call("pidfd_getfd", handle, fd, 0) >= 0:
                through("an open file of another process")
