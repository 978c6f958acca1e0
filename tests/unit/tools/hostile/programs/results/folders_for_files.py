"""Folders and links where files were."""

os.unlink("second.csv")
os.makedirs("second.csv/inner")
open("second.csv/inner/file", "w").write("x")
os.rename("third.csv", "moved.csv")
os.symlink(HOST["home"], "third.csv")
