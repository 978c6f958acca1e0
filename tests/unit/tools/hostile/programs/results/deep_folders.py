"""Folders within folders, deeper than a path can be long."""

for _ in range(1_500):
    os.mkdir("d")
    os.chdir("d")
open("bottom.txt", "w").write("x")
