"""The 32-bit and the x32 way into the kernel, where call numbers mean other things: a filter must know them apart."""

import mmap

if platform.machine() == "x86_64":
    room = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    at = ctypes.addressof(ctypes.c_char.from_buffer(room))
    # push rbx; mov eax, edi; mov ebx, esi; xor ecx, ecx; int 0x80; pop rbx; ret
    room[:12] = bytes.fromhex("5389f889f331c9cd805bc390")
    enter = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int)(at)

    def inner():
        for name, number, argument in (("unshare", 310, 0x10000000), ("getpid", 20, 0), ("io_uring_setup", 425, 0)):
            if enter(number, argument) not in (-errno.EPERM, -errno.ENOSYS, -errno.EACCES):
                through(f"{name} by int 0x80")

    os.waitpid(spawn(inner, 3), 0)
    for number in (0x40000000 + 39, 0x40000000 + 272):
        libc.syscall.restype = ctypes.c_long
        if libc.syscall(ctypes.c_long(number), ctypes.c_long(0x10000000)) >= 0:
            through("x32")
