"""The workspace and the processes of another worker."""

quietly(lambda: print(open(HOST["sibling_file"]).read()))
for pid in (*HOST["siblings"], *filter(str.isdigit, os.listdir("/proc"))):
    for way in ("cwd", "root/workspace", "root" + os.path.dirname(HOST["sibling_file"])):
        quietly(lambda path: print(open(path).read()), f"/proc/{pid}/{way}/private.txt")
quietly(lambda: print(open(HOST["sibling_file"], "a").write("changed")))
