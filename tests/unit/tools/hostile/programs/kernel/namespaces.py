"""New namespaces, in which a program is root, and those of others."""

flags = {"user": 0x10000000, "mount": 0x20000, "pid": 0x20000000, "net": 0x40000000, "ipc": 0x8000000, "uts": 0x4000000}
for name, flag in {**flags, "cgroup": 0x2000000}.items():
    for more in (0, 0x10000000):
        if call("unshare", flag | more) == 0:
            through(f"a {name} namespace")
    pid = call("clone", flag | 0x10000000 | 17, None, None, None, None)
    if pid == 0:
        os._exit(0)
    if pid > 0:
        through(f"a child in a {name} namespace")
arguments = (ctypes.c_uint64 * 11)(0x10000000, 0, 0, 0, 17)
pid = call("clone3", ctypes.byref(arguments), 88)
if pid == 0:
    os._exit(0)
if pid > 0:
    through("a child in a user namespace")
for pid in (1, HOST["launcher"], HOST["victim"], os.getppid()):
    for name in ("user", "mnt", "net", "pid", "ipc"):
        fd = quietly(os.open, f"/proc/{pid}/ns/{name}", os.O_RDONLY)
        if fd is not None and call("setns", fd, 0) == 0:
            through(f"the {name} namespace of {pid}")
