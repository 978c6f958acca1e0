"""Case memory: a bank of past cases, the index over it, and the choice of what is shown."""
