"""Memory of the machine, its disks and terminals, the kernel's log."""

for path in (
    "/dev/mem",
    "/dev/kmem",
    "/dev/port",
    "/proc/kcore",
    "/dev/kmsg",
    "/proc/kmsg",
    "/dev/vda",
    "/dev/sda",
    "/dev/kvm",
):
    try_to(path, os.open, path, os.O_RDONLY)
for path in (
    "/dev/fuse",
    "/dev/net/tun",
    "/dev/loop-control",
    "/dev/userfaultfd",
    "/dev/vsock",
    "/dev/ptmx0",
    "/dev/uinput",
):
    try_to(path, os.open, path, os.O_RDWR)
room = ctypes.create_string_buffer(4096)
if call("syslog", 3, room, 4096) > 0:
    through("the kernel's log")
