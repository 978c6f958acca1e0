"""The person's home, and files that everybody may read."""

for folder in (HOST["home"], os.path.expanduser("~")):
    for where, _, files in list(os.walk(folder)):
        for name in files[:20]:
            quietly(lambda path: print(open(path, errors="replace").read(500)), os.path.join(where, name))
if set(quietly(os.listdir, HOST["person"]) or ()) & set(HOST["person_has"]):
    through("the person's home is listed")
for way in ("/proc/self/root", "/proc/1/root", f"/proc/{HOST['launcher']}/root", f"/proc/{HOST['victim']}/cwd/.."):
    quietly(lambda path: print(open(path).read(500)), way + HOST["canary"])
quietly(os.symlink, HOST["canary"], "link")
quietly(lambda: print(open("link").read()))
subprocess.run(["cat", HOST["canary"], *(f"{HOST['home']}/{n}" for n in ("notes.txt", ".env"))], check=False)
