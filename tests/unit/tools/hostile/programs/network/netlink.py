"""See the host's interfaces and sockets, and make an interface."""

import struct


def ask(protocol, kind, flags, body):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as one:
        one.settimeout(0.3)
        one.sendto(struct.pack("IHHII", 16 + len(body), kind, flags, 1, 0) + body, (0, 0))
        return one.recv(1 << 16)


links = quietly(ask, 0, 18, 0x301, struct.pack("BBHiII", 0, 0, 0, 0, 0, 0)) or b""
at = 0
while at + 16 <= len(links):
    length, kind = struct.unpack_from("IH", links, at)
    if kind == 16 and struct.unpack_from("i", links, at + 20)[0] > 1:
        through("an interface of the host")
    at += max(length, 16)
# inet_diag_req_v2: TCP, listening sockets
listening = quietly(ask, 4, 20, 0x301, struct.pack("BBBBI", 2, 6, 0, 0, 1 << 10) + bytes(48)) or b""
if struct.pack(">H", HOST["tcp"]) in listening:
    through("the host's listening sockets")
made = quietly(ask, 0, 16, 0x605, struct.pack("BBHiII", 0, 0, 0, 0, 0, 0) + struct.pack("HH8s", 12, 3, b"hostile0"))
if made and struct.unpack_from("i", made, 16)[0] == 0:
    through("an interface was made")
for protocol in (7, 9, 15, 16):
    quietly(socket.socket, socket.AF_NETLINK, socket.SOCK_RAW, protocol)
