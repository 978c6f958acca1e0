"""Empty files and folders without end."""

count = 0
with contextlib.suppress(OSError):
    for count in range(4_000):
        os.mkdir(f"d{count}") if count % 2 else os.close(os.open(f"f{count}", os.O_CREAT | os.O_WRONLY))
time.sleep(1)
if count + 1 >= 4_000:
    through("4000 files")
