"""Send datagrams, connected and not."""

with quietly(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) or contextlib.nullcontext() as one:
    if one:
        for address in ("127.0.0.1", HOST["address"]):
            quietly(one.sendto, b"udp", (address, HOST["udp"]))
        quietly(one.sendmsg, [b"udp"], [], 0, ("127.0.0.1", HOST["udp"]))
        quietly(one.connect, ("127.0.0.1", HOST["udp"]))
        quietly(one.send, b"connected udp")
