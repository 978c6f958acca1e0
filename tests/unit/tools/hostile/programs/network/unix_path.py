"""Servers of the host at a path, also through a link in the workspace."""

quietly(os.symlink, HOST["path_stream"], "server")
quietly(os.link, HOST["path_stream"], "server2")
for path in (HOST["path_stream"], "server", "server2"):
    if one := quietly(socket.socket, socket.AF_UNIX):
        try_to("unix socket at a path", one.connect, path)
        quietly(one.send, b"path")
if one := quietly(socket.socket, socket.AF_UNIX, socket.SOCK_DGRAM):
    quietly(one.sendto, b"path", HOST["path_datagram"])
