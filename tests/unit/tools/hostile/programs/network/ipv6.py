"""TCP and UDP by IPv6, also to mapped addresses."""

for to, port in (("::1", "tcp6"), ("::ffff:127.0.0.1", "tcp")):
    if one := quietly(socket.socket, socket.AF_INET6):
        one.settimeout(0.3)
        try_to(f"TCP to {to}", one.connect, (to, HOST[port]))
        quietly(one.send, b"tcp6")
if one := quietly(socket.socket, socket.AF_INET6, socket.SOCK_DGRAM):
    quietly(one.sendto, b"udp6", ("::1", HOST["udp6"]))
