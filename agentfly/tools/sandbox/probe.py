"""The attacks that a tier must stop before any other code runs in it. The program runs inside; the host fills the braces."""

from __future__ import annotations

PROBE = """
import ctypes, os, socket
HOST, CANARY, SHARED = {host}, {canary!r}, {shared}
found = []
def reached(what, act):
    try:
        act()
    except (OSError, AttributeError):  # AttributeError: not a thing of this system
        return
    found.append(what)
def call(name, *args):
    if getattr(libc, name)(*args) == -1:
        raise OSError(ctypes.get_errno(), name)
def datagram(pair):
    pair[0].connect("\\0agentfly-probe" if SHARED else CANARY)
libc = ctypes.CDLL(None, use_errno=True)
reached("the network", lambda: socket.create_connection(("192.0.2.1", 9), timeout=0.2))
reached("the network by UDP", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 9)))
reached("the machine's host", lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM))
reached("network devices", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
reached("host files", lambda: open("/etc/shadow").read())
reached("a file of the host", lambda: open(CANARY).read())
reached("a file of the host to write", lambda: open(CANARY, "a"))
reached("a folder of the host", lambda: os.listdir(os.path.dirname(CANARY)))
reached("files outside", lambda: open("/agentfly-probe", "w"))
reached("namespaces", lambda: call("unshare", 0x10000000))
reached("mounts", lambda: call("mount", b"none", b"/", None, 0x44000, None))
reached("tracing", lambda: call("ptrace", 16, os.getppid(), 0, 0))
if SHARED:
    reached("sockets of others", lambda: socket.socket(socket.AF_UNIX))
    reached("sockets of others", lambda: datagram(socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)))
    reached("signals to its host", lambda: os.kill(HOST, 0))
    reached("the memory of its host", lambda: open(f"/proc/{{HOST}}/mem", "rb"))
    reached("the environment of its host", lambda: open(f"/proc/{{HOST}}/environ").read())
    reached("other processes", lambda: os.listdir("/proc"))
else:
    told = [v.split("=")[0] for v in open("/proc/1/environ").read().split("\\0") if v]
    if set(told) - {{"PATH", "PWD"}}:
        found.append("the environment of its host")
    if sum(name.isdigit() for name in os.listdir("/proc")) > 4:
        found.append("other processes")
if os.getuid() == 0:
    found.append("root")
final_answer(found)
"""


def attacks(host: int, canary: str, shared: bool) -> str:
    """The program.

    Args:
        host: process id of the host.
        canary: path of a file beside the workspace.
        shared: whether code in this tier shares the machine's processes, where it must not reach them.
    """
    return PROBE.format(host=host, canary=canary, shared=shared)
