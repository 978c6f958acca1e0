"""Shut the workspace and all that is in it, then die: whoever comes next must still get in."""

open("kept.txt", "w").write("kept")
quietly(os.mkdir, "shut")
quietly(os.chmod, "shut", 0)
quietly(os.chmod, "kept.txt", 0)
quietly(os.chmod, ".", 0)
os._exit(1)
