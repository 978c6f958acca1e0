"""Hard links and symbolic links to files outside, then writing through them."""

canaries = (HOST["canary"], f"{HOST['outside']}/canary.txt")
for number, path in enumerate((*canaries, "/etc/passwd", HOST["inside"])):
    try_to(f"a hard link to {path}", os.link, path, f"hard{number}")
    quietly(
        lambda p, n: os.link(f"/proc/self/fd/{os.open(p, os.O_PATH)}", f"fd{n}", follow_symlinks=True), path, number
    )
    quietly(os.symlink, path, f"soft{number}")
for name in ("hard", "soft", "fd"):
    for number in range(len(canaries)):
        quietly(lambda p: open(p, "a").write("hostile"), f"{name}{number}")
        quietly(os.chmod, f"{name}{number}", 0o666)
    for number in range(len(canaries), len(canaries) + 2):
        try_to("a file outside may be written by a link", os.open, f"{name}{number}", os.O_WRONLY)
quietly(os.symlink, HOST["outside"], "folder")
quietly(lambda: open(f"folder/{HOST['name']}", "w").write("hostile"))
quietly(os.link, "soft0", f"{HOST['outside']}/{HOST['name']}", follow_symlinks=False)
