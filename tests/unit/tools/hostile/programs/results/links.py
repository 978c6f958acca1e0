"""Links that lead whoever reads the results to the person's files, to endless ones, or round in a circle."""

import shutil

shutil.rmtree("results", ignore_errors=True)
for name in ("link.csv", "link.json", "link.txt", "link.xlsx", "link.zip", ".hidden.csv"):
    os.symlink(HOST["canary"], name)
os.symlink(HOST["home"], "folder")
os.symlink("/dev/zero", "zero.csv")
os.symlink("/dev/tty", "terminal.csv")
os.symlink("round.csv", "round.csv")
os.symlink("/proc/self/environ", "environ.txt")
os.symlink("nothing.csv", "dangling.csv")
