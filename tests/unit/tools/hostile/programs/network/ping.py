"""An unprivileged echo request."""

if one := quietly(socket.socket, socket.AF_INET, socket.SOCK_DGRAM, 1):
    one.settimeout(0.3)
    quietly(one.sendto, b"\x08\0\0\0\0\0\0\1ping", ("127.0.0.1", 0))
    if quietly(one.recv, 100):
        through("an echo of the host")
