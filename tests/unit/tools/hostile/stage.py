"""What the programs attack, and how it is seen from outside whether anything came through."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unit.tools.hostile.listening import Servers

from agentfly.tools.sandbox.spec import PROGRAM
from agentfly.folders import below, remove_tree

MARK = "CAME-THROUGH:"
NAME = "agentfly-hostile"
_PLACES = (
    "/",
    "/etc",
    "/opt",
    "/run",
    "/tmp",
    "/usr/lib",
    "/usr/local/bin",
    "/var/tmp",
    "/dev/shm",
    "/run/lock",
    "/dev/mqueue",
)
_WORKERS = range(61_184, 65_520)
"""Users that a root host gives to workers."""
_VICTIM = (
    "import ctypes, os, signal, sys\n"
    "def note(number, frame): os.write(1, b'signal %d\\n' % number)\n"
    "for number in (signal.SIGURG, signal.SIGTERM, signal.SIGIO, signal.SIGHUP): signal.signal(number, note)\n"
    "held = ctypes.create_string_buffer(os.environ['HOSTILE_SECRET'].encode())\n"
    "print(ctypes.addressof(held), flush=True)\n"
    "while True: signal.pause()\n"
)


class Stage:
    """Canaries, servers, processes, a terminal and a shared segment of the host, all within this machine."""

    def __init__(self) -> None:
        self.secret = f"secret-{secrets.token_hex(8)}"
        self.name = f"{NAME}-{secrets.token_hex(4)}"
        self.folder = Path(tempfile.mkdtemp(prefix=f"{NAME}-"))
        self.folder.chmod(0o755)  # what guards the canaries must be the sandbox, not their modes
        self.home, self.outside = self.folder / "home", self.folder / "outside"
        self.canaries = [self.home / "notes.txt", self.home / ".env", self.outside / "canary.txt"]
        self.place()
        self.servers = Servers(self.outside, self.name)
        self.terminal, self._typed = os.openpty()
        Path(os.ttyname(self._typed)).chmod(0o666)
        os.set_blocking(self.terminal, False)
        self.segment = _segment(self.secret)
        self.shm = Path("/dev/shm") / f"{self.name}-host"
        with contextlib.suppress(OSError):
            self.shm.write_text(self.secret)
            self.shm.chmod(0o666)
        self.victim = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _VICTIM], stdout=subprocess.PIPE, env={"HOSTILE_SECRET": self.secret}
        )
        assert self.victim.stdout is not None
        self._address = int(self.victim.stdout.readline())
        os.set_blocking(self.victim.stdout.fileno(), False)
        self._free = _free_port()
        self._before = self._state()

    def place(self) -> None:
        """Put the canaries where they belong; the last state is forgotten."""
        for folder in (self.home, self.outside):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o777)
        for path in self.canaries:
            path.unlink(missing_ok=True)
            path.write_text(f"{self.secret}\n")
            path.chmod(0o666)
        self._before = self._state() if hasattr(self, "victim") else {}

    def facts(self) -> dict[str, Any]:
        """What a program is told, JSON-able: where everything is, but not what the secret is."""
        ports = {way: self.servers.ports.get(way, 0) for way in ("tcp", "tcp6", "udp", "udp6", "sctp", "vsock")}
        return ports | {
            "mark": MARK,
            "name": self.name,
            "address": _own_address(),
            "abstract": f"{self.name}-stream",
            "abstract_datagram": f"{self.name}-datagram",
            "path_stream": str(self.outside / "path_stream.sock"),
            "path_datagram": str(self.outside / "path_datagram.sock"),
            "free_port": self._free,
            "free_name": f"{self.name}-free",
            "launcher": os.getpid(),
            "victim": self.victim.pid,
            "address_of_secret": self._address,
            "home": str(self.home),
            "person": str(Path.home()),
            "person_has": _things_of_the_person(),
            "outside": str(self.outside),
            "above": str(self.folder),
            "canary": str(self.canaries[0]),
            "inside": str(PROGRAM / "main.py"),
            "segment": self.segment,
            "shm_file": str(self.shm),
            "terminal": os.ttyname(self._typed),
        }

    def damage(self, told: Sequence[str], workspace: Path) -> list[str]:
        """What came through since the last look; empty when nothing did.

        Args:
            told: all text that the program gave.
            workspace: its folder, which is searched for the secret.
        """
        text = "\n".join(told)
        found = [line for line in text.splitlines() if line.startswith(MARK)]
        if self.secret in text or any(key in text for key in _own_keys()):
            found.append("the program told a secret")
        return [
            *found,
            *self.servers.heard(),
            *self._reached(),
            *self._changed(),
            *_left_behind(workspace, self.secret),
        ]

    def _reached(self) -> list[str]:
        found = []
        if self.victim.poll() is not None:
            found.append("a process of the host was ended")
        elif any(line.startswith("TracerPid:\t") and line != "TracerPid:\t0" for line in _status(self.victim.pid)):
            found.append("a process of the host is traced")
        assert self.victim.stdout is not None
        with contextlib.suppress(BlockingIOError):
            if told := os.read(self.victim.stdout.fileno(), 4096):
                found.append(f"a process of the host got {told!r}")
        with contextlib.suppress(BlockingIOError):
            found.append(f"something was put on a terminal: {os.read(self.terminal, 100)!r}")
        for family, address in ((socket.AF_INET, ("127.0.0.1", self._free)), (socket.AF_UNIX, f"\0{self.name}-free")):
            with contextlib.suppress(OSError), socket.socket(family) as one:
                one.settimeout(0.2)
                one.connect(address)
                found.append(f"the program serves the host at {address!r}")
        return found

    def _changed(self) -> list[str]:
        now = self._state()
        found = [f"changed: {key}" for key, value in now.items() if self._before.get(key) != value]
        found += [f"gone: {key}" for key in self._before if key not in now]
        self._before = now
        return found

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = {}
        for path in (self.home, self.outside, *self.canaries, PROGRAM, *PROGRAM.glob("*.py")):
            with contextlib.suppress(OSError):
                status = path.lstat()
                state[str(path)] = (status.st_mode, status.st_uid, status.st_mtime_ns, status.st_nlink, _content(path))
        for place in {
            *_PLACES,
            *(p for p in sys.path if p.endswith("-packages")),
            sys.prefix,
            str(Path.home()),
            str(self.folder),
        }:
            with contextlib.suppress(OSError):
                state |= {str(path): "there" for path in Path(place).glob(f"*{self.name}*")}
        state["System V objects"] = _shared_objects()
        state["nice"] = os.getpriority(os.PRIO_PROCESS, self.victim.pid) if self.victim.poll() is None else 0
        return state

    def close(self) -> None:
        """Take everything down."""
        self.victim.kill()
        self.victim.communicate()
        self.servers.close()
        os.close(self.terminal)
        os.close(self._typed)
        ctypes.CDLL(None).shmctl(self.segment, 0, None)
        self.shm.unlink(missing_ok=True)
        for place in _PLACES:
            for path in Path(place).glob(f"{self.name}*"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        remove_tree(self.folder)


def _left_behind(workspace: Path, secret: str) -> list[str]:
    """What in the workspace must not be there when the host looks: links are not followed."""
    found = []
    for path in below(workspace):
        status = path.lstat()
        if status.st_mode & (stat.S_ISUID | stat.S_ISGID):
            found.append(f"{path.name} runs as its owner")
        if stat.S_ISBLK(status.st_mode) or stat.S_ISCHR(status.st_mode):
            found.append(f"{path.name} is a device")
        if stat.S_ISREG(status.st_mode):
            with contextlib.suppress(OSError):
                if os.listxattr(path, follow_symlinks=False):
                    found.append(f"{path.name} has attributes")
                if status.st_size < 1 << 20 and secret.encode() in path.read_bytes():
                    found.append(f"{path.name} holds the secret")
    return found[:10]


def _segment(secret: str) -> int:
    """A System V shared memory segment that everybody may read."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    number = int(libc.shmget(0, 4096, 0o1666))
    if number >= 0:
        at = libc.shmat(number, None, 0)
        ctypes.memmove(at, secret.encode(), len(secret))
    return number


def _shared_objects() -> list[str]:
    """System V segments, queues and semaphores that a worker may have made: they outlive who made them."""
    suspects = _WORKERS if os.geteuid() == 0 else (os.geteuid(),)
    found = []
    for kind in ("shm", "msg", "sem"):
        lines = Path(f"/proc/sysvipc/{kind}").read_text().splitlines()
        users = lines[0].split().index("uid") if lines else 0
        rows = [line.split() for line in lines[1:]]
        found += [f"{kind} {row[1]}" for row in rows if int(row[users]) in suspects]
    return found


def _own_keys() -> list[str]:
    """Entries of this process's first environment, long enough to be told from chance."""
    entries = Path("/proc/self/environ").read_text(errors="replace").split("\0")
    return [e for e in entries if len(e) > 24 and not e.startswith(("PATH=", "LANG=", "LC_"))]


def _status(pid: int) -> list[str]:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/status").read_text().splitlines()
    return []


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _things_of_the_person() -> list[str]:
    """Names in the person's home; what leads to the interpreter and to the code under test may be seen."""
    seen = {Path(p).resolve() for p in (sys.base_prefix, sys.prefix, sys.executable, str(PROGRAM))}
    return [p.name for p in Path.home().iterdir() if not any(s.is_relative_to(p) for s in seen)]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _own_address() -> str:
    """This machine's address towards others; loopback where it has none. Nothing is sent."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return "127.0.0.2"
    return "127.0.0.1"
