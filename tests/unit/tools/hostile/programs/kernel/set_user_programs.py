"""Programs that run as root whoever starts them."""

for command in (
    ["su", "-c", "id -u"],
    ["sudo", "-n", "id", "-u"],
    ["pkexec", "id", "-u"],
    ["newgrp"],
    ["mount"],
    ["passwd", "-d", "x"],
):
    done = quietly(lambda c: subprocess.run(c, capture_output=True, timeout=3, stdin=subprocess.DEVNULL), command)
    if done and done.stdout.strip() == b"0":
        through(f"root by {command[0]}")
reach = f"import os\ntry: print(open({HOST['canary']!r}).read(), os.getuid())\nexcept OSError: pass"
quietly(lambda: subprocess.run([sys.executable, "-c", reach], timeout=5, check=False))
