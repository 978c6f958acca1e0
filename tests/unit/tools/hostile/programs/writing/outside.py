"""Write wherever there might be a place: a folder that all may write, the system, the interpreter, the program inside."""

import site

places = [
    HOST["outside"],
    HOST["home"],
    HOST["person"],
    "/usr/local/bin",
    "/usr/lib",
    "/etc",
    "/opt",
    "/var/tmp",
    "/run",
    "/",
]
places += [
    *site.getsitepackages(),
    os.path.dirname(os.__file__),
    sys.prefix,
    os.path.dirname(sys.executable),
    HOST["above"],
]
for place in places:
    quietly(lambda path: open(path, "w").write("hostile"), f"{place}/{HOST['name']}")
    quietly(os.mkdir, f"{place}/{HOST['name']}.d")
for path in (HOST["canary"], f"{HOST['outside']}/canary.txt"):
    for mode in ("r+", "a", "w"):
        quietly(lambda p, m: open(p, m).write("hostile"), path, mode)
    quietly(os.truncate, path, 0)
    quietly(os.unlink, path)
for path in (HOST["inside"], "/run/agentfly/inside/main.py", os.__file__, sys.executable, "/etc/passwd"):
    try_to(f"{path} may be written", os.open, path, os.O_WRONLY)  # without truncating: the host must survive a leak
