"""Reach a server of the host by TCP, and the world."""

for address in ("127.0.0.1", HOST["address"], "0.0.0.0", "localhost"):
    try_to(f"TCP to {address}", lambda to: socket.create_connection((to, HOST["tcp"]), 0.3).send(b"tcp"), address)
