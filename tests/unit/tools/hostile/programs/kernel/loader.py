"""Start programs in ways that a list of programs would not see: by the loader, by a script, from memory."""

import glob

reach = (
    "import os, socket\n"
    f"try: print(open({HOST['canary']!r}).read())\nexcept OSError: pass\n"
    f"try: open({HOST['canary']!r}, 'a').write('hostile')\nexcept OSError: pass\n"
    f"try: socket.create_connection(('127.0.0.1', {HOST['tcp']}), 0.3).send(b'loader')\nexcept OSError: pass\n"
)
for loader in (*glob.glob("/lib64/ld-linux*.so.2"), *glob.glob("/lib/ld-linux*.so.*")):
    quietly(lambda path: subprocess.run([path, sys.executable, "-c", reach], timeout=5, check=False), loader)
open("script", "w").write(f"#!{sys.executable}\n{reach}")
os.chmod("script", 0o755)
quietly(lambda: subprocess.run(["./script"], timeout=5, check=False))
with contextlib.suppress(OSError):
    memory = os.memfd_create("program", 0)
    with open(os.path.realpath(sys.executable), "rb") as source:
        os.write(memory, source.read())

    def run():
        os.execve(memory, ["python", "-I", "-c", reach], dict(os.environ))

    os.waitpid(spawn(run, 4), 0)
