"""Fill the temporary folder, by size and by number."""

import tempfile

size = count = 0
folder = tempfile.gettempdir()
with contextlib.suppress(OSError):
    for _ in range(150):
        with open(f"{folder}/{HOST['name']}{count}", "wb", 0) as file:
            for _ in range(4):
                size += file.write(b"x" * (1 << 20))
        count += 1
with contextlib.suppress(OSError):
    for number in range(20_000):
        os.close(os.open(f"{folder}/{HOST['name']}-{number}", os.O_CREAT))
if size >> 20 > 520:
    through(f"{size >> 20} MB in {folder}")
