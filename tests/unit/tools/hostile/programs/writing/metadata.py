"""Change mode, times, owner and attributes of files outside: Landlock does not look at them."""

for path in (HOST["canary"], f"{HOST['outside']}/canary.txt", HOST["outside"], HOST["home"]):
    quietly(os.chmod, path, 0o4777)
    quietly(os.utime, path, (1, 1))
    quietly(os.chown, path, os.getuid(), os.getgid())
    quietly(os.setxattr, path, "user.hostile", b"1")
    quietly(lambda p: os.utime(os.open(p, os.O_PATH), (1, 1)), path)
