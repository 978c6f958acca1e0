"""Pipes and sockets that look like tables: whoever opens one waits for ever."""

for ending in ("csv", "tsv", "json", "xlsx", "zip", "txt", "pdf"):
    quietly(os.mkfifo, f"pipe.{ending}")
    if one := quietly(socket.socket, socket.AF_UNIX):
        quietly(one.bind, f"socket.{ending}")
quietly(os.unlink, "data.csv")
quietly(os.mkfifo, "data.csv")
