"""Write to the attachment under another name."""

quietly(os.link, "data.csv", "second.csv")
quietly(os.symlink, "data.csv", "third.csv")
quietly(os.symlink, "/proc/self/cwd/data.csv", "fourth.csv")
for name in ("second.csv", "third.csv", "fourth.csv", f"/proc/{os.getpid()}/root{os.getcwd()}/data.csv"):
    quietly(lambda path: open(path, "r+").write("hostile"), name)
    quietly(os.chmod, name, 0o666)
    quietly(os.truncate, name, 0)
