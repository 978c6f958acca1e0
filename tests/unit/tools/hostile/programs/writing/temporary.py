"""Leave something in the temporary folders that the host and all others share."""

for place in ("/tmp", "/var/tmp", "/dev/shm", "/run/lock", "/dev/mqueue"):
    quietly(lambda path: open(path, "w").write("hostile"), f"{place}/{HOST['name']}")
quietly(call, "mq_open", ctypes.c_char_p(HOST["name"].encode()), os.O_CREAT | os.O_RDWR, 0o666, None)
