"""A System V segment that another process of the host left readable, and files in shared memory."""

libc.shmat.restype = ctypes.c_void_p
for number in (HOST["segment"], *range(64)):
    at = libc.shmat(number, None, 0o10000)
    if at not in (None, ctypes.c_void_p(-1).value):
        print(ctypes.string_at(at, 64))
for name in os.listdir("/dev/shm") if os.path.isdir("/dev/shm") else ():
    quietly(lambda path: print(open(path, errors="replace").read(500)), "/dev/shm/" + name)
quietly(lambda: print(open(HOST["shm_file"]).read()))
