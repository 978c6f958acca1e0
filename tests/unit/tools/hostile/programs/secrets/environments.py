"""Keys in the environment of other processes and of the one that started this."""

for pid in {1, HOST["launcher"], HOST["victim"], os.getppid(), *HOST["siblings"]}:
    for way in ("environ", f"task/{pid}/environ"):
        quietly(lambda path: print(open(path, errors="replace").read()), f"/proc/{pid}/{way}")
print(os.environ)
