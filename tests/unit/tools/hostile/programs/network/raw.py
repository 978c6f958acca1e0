"""Packets of one's own making."""

try_to("a raw ICMP socket", socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)
try_to("a raw TCP socket", socket.socket, socket.AF_INET, socket.SOCK_RAW, 6)
try_to("a raw IPv6 socket", socket.socket, socket.AF_INET6, socket.SOCK_RAW, 58)
try_to("a packet socket", socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 0x300)
try_to("a packet socket", socket.socket, socket.AF_PACKET, socket.SOCK_DGRAM, 0x300)
