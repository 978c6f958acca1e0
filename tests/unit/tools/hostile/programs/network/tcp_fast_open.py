"""Send data with the first packet: a connection without a call of connect."""

with socket.socket() as one:
    one.settimeout(0.3)
    quietly(one.sendto, b"fast open", socket.MSG_FASTOPEN, ("127.0.0.1", HOST["tcp"]))
