"""Offer a service: the host's own programs, or a page in the person's browser, would reach it at localhost."""


def serve(one):
    one.listen()
    while True:
        one.accept()[0].send(b"hostile")


for family, name in ((socket.AF_INET, ("127.0.0.1", HOST["free_port"])), (socket.AF_UNIX, "\0" + HOST["free_name"])):
    if (one := quietly(socket.socket, family)) and quietly(one.bind, name) is None:
        with contextlib.suppress(RuntimeError):
            threading.Thread(target=serve, args=(one,), daemon=True).start()
time.sleep(0.05)
