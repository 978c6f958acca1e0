"""Leave programs in the workspace that run as their owner, whoever starts them, and devices."""

import shutil
import stat

for name, mode in (("as_owner", 0o4755), ("as_group", 0o2755), ("both", 0o6777)):
    shutil.copy("/bin/sh", name)
    quietly(os.chmod, name, mode)
    quietly(lambda n, m: os.fchmod(os.open(n, os.O_RDONLY), m), name, mode)
    call("fchmodat2", -100, ctypes.c_char_p(name.encode()), mode, 0)
    quietly(os.chown, name, 0, 0)
os.umask(0)
quietly(os.mkdir, "folder", 0o2777)
quietly(os.chmod, "folder", 0o2777)
quietly(lambda: os.open("made", os.O_CREAT | os.O_WRONLY, 0o4777))


def nameless():
    handle = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o4777)
    call("linkat", handle, ctypes.c_char_p(b""), -100, ctypes.c_char_p(b"nameless"), 0x1000)


quietly(nameless)
quietly(os.mknod, "node", 0o4777 | stat.S_IFREG)
try_to("a device", os.mknod, "zero", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
try_to("a disk", os.mknod, "disk", 0o666 | stat.S_IFBLK, os.makedev(254, 0))
capabilities = bytes.fromhex("0100000200200000000000000000000000000000")
quietly(os.setxattr, "as_owner", "security.capability", capabilities)
