"""Password hashes and keys of the system."""

for path in (
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/sudoers",
    "/etc/ssl/private",
    "/var/log/dmesg",
    "/etc/machine-id",
):
    if os.path.isdir(path):
        try_to(path, lambda p: os.listdir(p)[0] if os.listdir(p) else os.stat("/nothing"), path)
    else:
        try_to(path, lambda p: print(open(p).read(200)), path)
path = ctypes.c_char_p(b"/etc/shadow")
if call("openat", -100, path, 0, 0) >= 0 or call("openat2", -100, path, (ctypes.c_uint64 * 3)(), 24) >= 0:
    through("/etc/shadow by a system call")
