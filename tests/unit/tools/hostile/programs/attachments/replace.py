"""Put something else in the attachment's place: a file, a folder, a link, a pipe."""

for make in (
    lambda: open("new", "w").write("hostile"),
    lambda: os.mkdir("new"),
    lambda: os.symlink(HOST["canary"], "new"),
    lambda: os.mkfifo("new"),
    lambda: os.link("data.csv", "new"),
):
    quietly(make)
    quietly(os.unlink, "data.csv")
    quietly(os.rename, "data.csv", "old.csv")
    quietly(os.replace, "new", "data.csv")
    if call("renameat2", -100, ctypes.c_char_p(b"new"), -100, ctypes.c_char_p(b"data.csv"), 2) == 0:
        through("exchanged")
    quietly(os.unlink, "new")
    quietly(os.rmdir, "new")
