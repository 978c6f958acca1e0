"""Servers of the host at abstract names, which no file permission guards."""

for kind, name in ((socket.SOCK_STREAM, "abstract"), (socket.SOCK_DGRAM, "abstract_datagram")):
    if one := quietly(socket.socket, socket.AF_UNIX, kind):
        try_to(f"{name} unix socket", one.connect, "\0" + HOST[name])
        quietly(one.send, b"abstract")
if pair := quietly(socket.socketpair, socket.AF_UNIX, socket.SOCK_DGRAM):
    quietly(pair[0].sendto, b"by a pair", "\0" + HOST["abstract_datagram"])
    quietly(pair[0].connect, "\0" + HOST["abstract_datagram"])
    quietly(pair[0].send, b"by a pair")
