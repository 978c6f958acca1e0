"""Mount something over what is there, or take away what hides it."""

text = ctypes.c_char_p
for flags, source, target, kind in (
    (0, b"none", b".", b"tmpfs"),
    (4096, b"/", b".", None),
    (32 | 4096, b"none", b"/", None),
    (0, b"proc", b".", b"proc"),
    (0, b"/dev/vda", b".", b"ext4"),
    (0, b"overlay", b".", b"overlay"),
):
    if call("mount", text(source), text(target), text(kind), flags, None) == 0:
        through(f"mounted {source!r}")
for path in (b"/proc", b"/dev", b"/tmp", b"/", b"/usr"):
    if call("umount2", text(path), 2) == 0:
        through(f"unmounted {path!r}")
if call("fsopen", text(b"tmpfs"), 0) >= 0:
    through("a new file system")
if call("open_tree", -100, text(b"/"), 1) >= 0:
    through("a copy of the mounts")
if call("pivot_root", text(b"."), text(b".")) == 0:
    through("another root")
