"""The system call filter, executed as the kernel executes it, on every machine that it is made for."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.tools.sandbox import bubblewrap
from agentfly.tools.sandbox.inside import seccomp
from agentfly.tools.sandbox.inside.seccomp import Ways, assemble
from agentfly.tools.sandbox.inside.syscalls import MACHINES, numbers

ALLOW, ERROR = 0x7FFF0000, 0x00050000
WAYS = {
    "namespaces": Ways(),
    "own user": Ways(alone=True),
    "same user": Ways(alone=True, same_user=True),
    "open signals": Ways(alone=True, same_user=True, own_signals=4321),
}
HEADERS = {
    "x86_64": ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "__NR_"),
    "aarch64": ("/usr/include/asm-generic/unistd.h", "__NR_"),
}


def verdict(program: bytes, number: int, *arguments: int, architecture: int = MACHINES["x86_64"]) -> int | None:
    """What a filter says to a call: None for allowed, else the error number."""
    words = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<iIQ6Q", number, architecture, 0, *(word & (1 << 64) - 1 for word in words))
    instructions = [struct.unpack_from("<HBBI", program, at) for at in range(0, len(program), 8)]
    loaded, at = 0, 0
    while True:
        code, yes, no, value = instructions[at]
        at += 1
        if code == 0x20:
            (loaded,) = struct.unpack_from("<I", data, value)
        elif code == 0x54:
            loaded &= value
        elif code == 0x06:
            return None if value == ALLOW else value - ERROR
        else:
            true = {0x15: loaded == value, 0x35: loaded >= value, 0x45: bool(loaded & value)}[code]
            at += yes if true else no


def asked(name: str, *arguments: int, ways: str = "namespaces", machine: str = "x86_64") -> int | None:
    program = assemble(WAYS[ways], machine)
    return verdict(program, numbers(machine)[name], *arguments, architecture=MACHINES[machine])


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("ways", WAYS)
def test_what_code_work_does_not_need_is_refused(machine: str, ways: str) -> None:
    for name in (
        "ptrace",
        "process_vm_readv",
        "bpf",
        "mount",
        "unshare",
        "setns",
        "keyctl",
        "pivot_root",
        "kexec_load",
    ):
        assert asked(name, ways=ways, machine=machine) == errno.EPERM, name
    for name in ("io_uring_setup", "clone3", "openat2", "memfd_create"):
        assert asked(name, ways=ways, machine=machine) == errno.ENOSYS, name


@pytest.mark.parametrize("machine", MACHINES)
def test_only_threads_and_processes_are_cloned(machine: str) -> None:
    assert asked("clone", 0x01200011, machine=machine) is None
    assert asked("clone", 0x003D0F00, machine=machine) is None
    for flag in (0x00020000, 0x10000000, 0x40000000, 0x20000000, 0x08000000, 0x04000000, 0x02000000):
        assert asked("clone", flag | 17, machine=machine) == errno.EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_other_system_interfaces_are_refused(machine: str) -> None:
    program = assemble(Ways(), machine)
    assert verdict(program, 20, architecture=0x40000003) == errno.ENOSYS  # i386
    if machine == "x86_64":
        assert verdict(program, 0x40000000 | 39) == errno.ENOSYS  # x32


@pytest.mark.parametrize(
    ("family", "protocol", "said"),
    [
        *((family, 0, None) for family in (1, 2, 10, 16)),
        (2, 262, None),  # MPTCP: the namespace has no way out
        (16, 15, errno.EPERM),  # device events
        *((family, 3, errno.EPERM) for family in (17, 31, 38, 40)),
    ],
)
def test_sockets_behind_a_network_namespace(family: int, protocol: int, said: int | None) -> None:
    assert asked("socket", family, 1, protocol) == said


@pytest.mark.parametrize("ways", ["own user", "same user", "open signals"])
def test_without_namespaces_only_pairs_of_streams_are_left(ways: str) -> None:
    for family in range(50):
        assert asked("socket", family, 1, ways=ways) == errno.EPERM
    assert asked("socketpair", 1, 1 | 0o2000000, ways=ways) is None
    assert asked("socketpair", 1, 5 | 0o4000, ways=ways) is None
    for kind in (2, 3):  # the kernel takes raw for datagrams
        assert asked("socketpair", 1, kind | 0o2000000, ways=ways) == errno.EPERM
    assert asked("socketpair", 2, 1, ways=ways) == errno.EPERM
    for name in ("connect", "bind", "shmget", "mq_open", "inotify_add_watch"):
        assert asked(name, ways=ways) == errno.EPERM
    assert asked("prlimit64", 0, ways=ways) is None
    assert asked("prlimit64", 77, ways=ways) == errno.EPERM
    assert asked("setpriority", 0, 0, 19, ways=ways) is None
    assert asked("setpriority", 0, 77, 19, ways=ways) == errno.EPERM


def test_the_persons_own_files_keep_their_modes() -> None:
    for name in ("chmod", "fchmodat", "utimensat", "lsetxattr", "chown"):
        assert asked(name, 5, 0o644, 0o644, ways="same user") == 0, "it seems to be done"
        assert asked(name, 5, 0o644, 0o644, ways="own user") is None


def test_signals_stay_with_the_process_where_nothing_else_keeps_them() -> None:
    assert asked("kill", 4321, 9, ways="open signals") is None
    for other in (1, 0, -1, -4321, 4322):
        assert asked("kill", other, 9, ways="open signals") == errno.EPERM
        assert asked("kill", other, 9, ways="same user") is None, "Landlock sees to it"
    assert asked("fcntl", 3, 10, ways="open signals") == errno.EPERM
    assert asked("fcntl", 3, 2, ways="open signals") is None


@given(mode=st.integers(0, 0o7777), flags=st.integers(0, 0o7777777))
def test_no_file_gets_a_set_id_bit(mode: int, flags: int) -> None:
    said = errno.EPERM if mode & 0o6000 else None
    assert asked("fchmodat", -100, 0, mode) == said
    assert asked("mkdirat", -100, 0, mode) == said
    assert asked("openat", -100, 0, flags, mode) == (said if flags & 0o100 else None)
    assert asked("openat", -100, 0, flags | 0o20200000, mode) == said, "a file without a name can be given one"


@given(
    number=st.integers(0, 600),
    arguments=st.lists(st.integers(0, 2**64 - 1), max_size=6),
    ways=st.sampled_from(list(WAYS)),
)
def test_every_call_gets_an_answer(number: int, arguments: list[int], ways: str) -> None:
    for machine, architecture in MACHINES.items():
        said = verdict(assemble(WAYS[ways], machine), number, *arguments, architecture=architecture)
        assert said in (None, 0, errno.EPERM, errno.ENOSYS)
        if number not in numbers(machine).values():
            assert said is None


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_are_the_kernels(machine: str) -> None:
    path, start = HEADERS[machine]
    if not Path(path).is_file():
        pytest.skip("the kernel's headers are not installed")
    words = [line.split() for line in Path(path).read_text().splitlines() if line.startswith(f"#define {start}")]
    told = {row[1].removeprefix("__NR3264_").removeprefix(start): row[2] for row in words if len(row) > 2}
    ours = numbers(machine)
    shared = [name for name in ours if told.get(name, "").isdigit()]
    assert len(shared) > 90
    assert {name: int(told[name]) for name in shared} == {name: ours[name] for name in shared}
    assert len(set(ours.values())) == len(ours)


def test_unknown_machines_have_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="riscv64"):
        assemble(Ways(), "riscv64")
    real = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((*real[:4], "riscv64")))
    assert "riscv64" in bubblewrap.problem()


@pytest.mark.skipif(sys.platform != "linux" or os.uname().machine not in MACHINES, reason="needs the kernel's filters")
def test_the_kernel_takes_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch(0o640)
    code = (
        "import ctypes, os, socket, sys\n"
        "from inside.seccomp import Ways, assemble, install\n"
        "install(assemble(Ways(alone=True, same_user=True)))\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "print(libc.unshare(0x10000000), ctypes.get_errno())\n"
        "os.chmod(sys.argv[1], 0o777)\n"
        "socket.socketpair()\n"
        "try: socket.socket()\nexcept OSError as e: print(e.errno)\n"
        "pid = os.fork()\n"
        "if pid: print(os.waitpid(pid, 0)[1])\n"
    )
    folder = Path(seccomp.__file__).parents[1]
    run = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=folder, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["-1", "1", "1", "0"]
    assert path.stat().st_mode & 0o777 == 0o640
