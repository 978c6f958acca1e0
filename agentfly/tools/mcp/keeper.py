"""The parent of one server: it starts the server, and ends everything that came from it when agentfly is done or gone.

Run as a program of its own by file name, so it imports the standard library alone. Arguments: the file descriptor of a pipe whose
other end agentfly holds, then the server's command. The end of that pipe is the sign to finish, and it comes however
agentfly ends. Standard streams are the server's: nothing is read or written here.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of linux/prctl.h
GENTLE_SECONDS = 0.3
HARD_SECONDS = 2.0


def main(lifeline: int, command: list[str]) -> int:
    """Keep one server.

    Returns:
        Its exit status, as a shell would give it.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)  # orphans come to this process, wherever they hide
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a Ctrl-C at the terminal is agentfly's to answer
    waking, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    server = os.fork()
    if server == 0:
        _become(command, lifeline)
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):  # the server's streams end when the server's copies do
        os.dup2(quiet, stream)
    status = _wait(server, lifeline, waking)
    _end_all(server, gently=status is None)
    return 0 if status is None else os.waitstatus_to_exitcode(status) & 0xFF


def _become(command: list[str], lifeline: int) -> None:
    try:
        os.setpgid(0, 0)
        os.close(lifeline)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.execvp(command[0], command)  # noqa: S606  # no shell is wanted
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode(errors="replace"))
    finally:
        os._exit(127)


def _wait(server: int, lifeline: int, waking: int) -> int | None:
    """The server's wait status, or None where agentfly is done with it first."""
    while True:
        ready, _, _ = select.select([lifeline, waking], [], [])
        if lifeline in ready:
            return None
        os.read(waking, 4096)
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                if found[0] == server:
                    return found[1]


def _end_all(server: int, gently: bool) -> None:
    """Ask all descendants to end, then end them; those that appear meanwhile as well."""
    family = _family(server)
    begun = time.monotonic()
    if gently:
        _signal(family, signal.SIGTERM)
    while time.monotonic() - begun < HARD_SECONDS:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        family = _family(server)
        if not family:
            return
        if not gently or time.monotonic() - begun > GENTLE_SECONDS:
            _signal(family, signal.SIGKILL)
        time.sleep(0.005)


def _signal(family: list[int], number: signal.Signals) -> None:
    for pid in family:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _family(server: int) -> list[int]:
    """What to signal: all descendants; where there is no ``/proc`` the server's process group has to do."""
    if sys.platform == "linux":
        return descendants(os.getpid())
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(server, 0)
        return [-server]
    return []


def descendants(pid: int) -> list[int]:
    """Processes that came from `pid`, by what ``/proc`` says of their parents."""
    parents: dict[int, list[int]] = {}
    for folder in os.listdir("/proc"):  # noqa: PTH208  # pathlib takes 10 ms to load
        if folder.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{folder}/stat", "rb") as file:  # noqa: PTH123
                parents.setdefault(int(file.read().rpartition(b")")[2].split()[1]), []).append(int(folder))
    found, queue = [], [pid]
    while queue:
        children = parents.get(queue.pop(), [])
        found += children
        queue += children
    return found


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
