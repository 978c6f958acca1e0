"""The way from a virtual machine to its neighbours; here to this machine itself only."""

if one := quietly(socket.socket, 40, socket.SOCK_STREAM):
    through("a vsock socket")
    one.settimeout(0.3)
    try_to("vsock", one.connect, (1, HOST["vsock"] or 52_345))
    quietly(one.send, b"vsock")
