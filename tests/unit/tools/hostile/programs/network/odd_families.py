"""Socket families that lead past a network namespace or deep into the kernel: AF_ALG, AF_KEY, AF_CAN, AF_RDS, AF_TIPC and more."""

for family in (3, 4, 5, 6, 9, 15, 21, 24, 29, 30, 31, 33, 35, 38, 39, 41, 44, 45):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        try_to(f"a socket of family {family}", socket.socket, family, kind)
