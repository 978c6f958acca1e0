"""Multipath TCP: another protocol number than the one that a filter for TCP looks at."""

for family, address, port in ((socket.AF_INET, "127.0.0.1", "tcp"), (socket.AF_INET6, "::1", "tcp6")):
    if one := quietly(socket.socket, family, socket.SOCK_STREAM, 262):
        one.settimeout(0.3)
        try_to(f"MPTCP to {address}", one.connect, (address, HOST[port]))
        quietly(one.send, b"mptcp")
