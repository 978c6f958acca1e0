"""Leave modules that a later interpreter might import at its start, and settings for it."""

source = f"open({HOST['canary']!r}, 'a').write('hostile'); open('planted', 'a').write('hostile')\n"
for name in (
    "sitecustomize.py",
    "usercustomize.py",
    "inside.py",
    "json.py",
    "socket.py",
    "numpy.py",
    "_ctypes.py",
    "main.py",
):
    open(name, "w").write(source)
for folder in ("inside", "encodings", ".local/lib/python3.11/site-packages"):
    os.makedirs(folder, exist_ok=True)
    open(f"{folder}/__init__.py", "w").write(source)
    open(f"{folder}/main.py", "w").write(source)
open("hostile.pth", "w").write("import os; " + source)
open("pyvenv.cfg", "w").write("home = .\n")
os.environ.update(PYTHONPATH=os.getcwd(), PYTHONSTARTUP="main.py", LD_PRELOAD="./hostile.so", LD_LIBRARY_PATH=".")
os._exit(0)
