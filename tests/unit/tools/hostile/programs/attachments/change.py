"""Write into the attachment, by every way of writing."""

import mmap
import resource

for mode in ("w", "a", "r+"):
    quietly(lambda m: open("data.csv", m).write("hostile"), mode)
quietly(os.truncate, "data.csv", 0)
quietly(os.chmod, "data.csv", 0o666)
quietly(os.chown, "data.csv", os.getuid(), os.getgid())
quietly(lambda: open("data.csv", "r+").write("hostile"))
fd = os.open("data.csv", os.O_RDONLY)
quietly(lambda: os.write(os.open(f"/proc/self/fd/{fd}", os.O_WRONLY), b"hostile"))
quietly(lambda: mmap.mmap(fd, 4, prot=mmap.PROT_WRITE).write(b"host"))
quietly(os.posix_fallocate, fd, 0, 100)
quietly(os.ftruncate, fd, 0)
quietly(os.utime, "data.csv", (1, 1))
quietly(os.setxattr, "data.csv", "user.hostile", b"1")
quietly(resource.setrlimit, resource.RLIMIT_FSIZE, (0, 0))
