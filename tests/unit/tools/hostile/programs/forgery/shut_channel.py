"""End the channel from the worker's side and go on."""

import stat

for fd in range(3, 256):
    if quietly(lambda f: stat.S_ISSOCK(os.fstat(f).st_mode), fd):
        quietly(lambda f: socket.socket(fileno=f).shutdown(socket.SHUT_RDWR), fd)
time.sleep(20)
