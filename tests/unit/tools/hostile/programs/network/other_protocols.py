"""SCTP, DCCP, UDP-Lite and SMC (which falls back to TCP)."""

kinds = [
    (socket.AF_INET, socket.SOCK_STREAM, 132, "sctp"),
    (socket.AF_INET, socket.SOCK_SEQPACKET, 132, "sctp"),
    (socket.AF_INET, 6, 33, "tcp"),
    (socket.AF_INET, socket.SOCK_DGRAM, 136, "udp"),
    (43, socket.SOCK_STREAM, 0, "tcp"),
]
for family, kind, protocol, port in kinds:
    one = quietly(socket.socket, family, kind, protocol)
    if one and HOST[port] and kind != socket.SOCK_DGRAM:
        one.settimeout(0.3)
        try_to(f"protocol {protocol} of family {family}", one.connect, ("127.0.0.1", HOST[port]))
        quietly(one.send, b"other")
    elif one:
        quietly(one.sendto, b"other", ("127.0.0.1", HOST["udp"]))
