"""The kernel's own filter of system calls, in classic BPF: what code work does not need is refused.

Refused means an error number, not the end of the process: libraries try things and go on without. Rules look at the low half of
an argument, which is all that the kernel reads of the ones that are looked at here.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from .syscalls import MACHINES, numbers

_INSTRUCTION = struct.Struct("<HBBI")
_LOAD, _MASK, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets into struct seccomp_data
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_X32 = 0x40000000
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2  # prctl
Program: TypeAlias = list[tuple[int, int, int, int]]

_NEW_NAMESPACES = 0x7E020000
"""CLONE_NEW* but for time, which clone does not take."""
_UNIX, _INET, _INET6, _NETLINK = 1, 2, 10, 16
_STREAM, _SEQPACKET = 1, 5

_REFUSED = """
ptrace process_vm_readv process_vm_writev kcmp bpf perf_event_open userfaultfd add_key request_key keyctl pidfd_getfd
process_madvise process_mrelease move_pages migrate_pages
kexec_load kexec_file_load init_module delete_module finit_module create_module query_module get_kernel_syms
mount umount2 move_mount open_tree open_tree_attr fsopen fsconfig fsmount fspick mount_setattr statmount listmount
pivot_root chroot unshare setns open_by_handle_at name_to_handle_at fanotify_init fanotify_mark
reboot swapon swapoff acct quotactl quotactl_fd syslog settimeofday clock_settime adjtimex clock_adjtime
sethostname setdomainname iopl ioperm modify_ldt lookup_dcookie vhangup uselib ustat sysfs _sysctl nfsservctl
"""
_ABSENT = "clone3 openat2 io_uring_setup io_uring_enter io_uring_register memfd_create memfd_secret"
"""As on a kernel without them, so that libraries take the older way. Memory files count towards no limit."""
_SHARED = """
bind listen accept accept4 connect
shmget shmat shmctl semget semop semctl semtimedop msgget msgsnd msgrcv msgctl mq_open mq_unlink
inotify_init inotify_init1 inotify_add_watch
"""
"""Ways to others where there are no namespaces."""
_ATTRIBUTES = """
chmod fchmod fchmodat fchmodat2 chown lchown fchown fchownat utime utimes futimesat utimensat
setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr removexattrat file_setattr
"""
"""Landlock does not look at them, and the person's own files are this user's."""
_SET_ID = 0o6000
"""Bits of a file's mode with which whoever runs it becomes its owner: on the host, that would be the person."""
_MODES = "chmod 1 fchmod 1 fchmodat 2 fchmodat2 2 creat 1 mkdir 1 mkdirat 2 mknod 1 mknodat 2"
_OPENS = "open 1 openat 2"
_CREATE = (
    0o100 | 0o20000000
)  # O_CREAT, and what makes O_TMPFILE of O_DIRECTORY: a file without a name, until it is linked
_OTHERS_FIRST = "prlimit64 sched_setaffinity sched_setscheduler sched_setparam sched_setattr"
_OTHERS_SECOND = "setpriority ioprio_set"


class Ways(NamedTuple):
    """What else than namespaces keeps the code apart; all False where there are namespaces."""

    alone: bool = False
    """No namespaces: no sockets, no shared memory, no limits of other processes."""
    same_user: bool = False
    """The code runs as the person's own user: changing modes, owners, times succeeds and does nothing."""
    own_signals: int = 0
    """This process's id where nothing else keeps signals in: it may signal itself alone."""


def assemble(ways: Ways, machine: str = "") -> bytes:
    """The filter as an array of ``struct sock_filter``.

    Args:
        ways: what it must stop.
        machine: one of `syscalls.MACHINES`; by default this one.

    Raises:
        OSError: filters are not made for this machine.
    """
    machine = machine or os.uname().machine
    if machine not in MACHINES:
        raise OSError(errno.ENOSYS, f"there is no system call filter for {machine}")
    known = numbers(machine)
    program: Program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, MACHINES[machine]),
        _refuse(errno.ENOSYS),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        program += [(_AT_LEAST, 0, 1, _X32), _refuse(errno.ENOSYS)]
    for name, body in _rules(ways):
        if name in known:  # a body always returns, so the next rule finds the number still loaded
            program += [(_EQUAL, 0, len(body), known[name]), *body]
    program.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in program)


def install(program: bytes) -> None:
    """Put this thread, and all that comes of it, under a filter for good.

    Raises:
        OSError: the kernel refuses.
    """

    class _Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))

    libc = ctypes.CDLL(None, use_errno=True)
    held = _Program(len(program) // _INSTRUCTION.size, program)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(_SECCOMP, _FILTER, ctypes.byref(held), 0, 0):
        raise OSError(ctypes.get_errno(), "the system call filter was refused")


def _all(names: str, body: Program) -> Iterable[tuple[str, Program]]:
    return ((name, body) for name in names.split())


def _refuse(number: int) -> tuple[int, int, int, int]:
    return (_RETURN, 0, 0, _ERROR | number)


def _allow() -> tuple[int, int, int, int]:
    return (_RETURN, 0, 0, _ALLOW)


def _argument(index: int) -> tuple[int, int, int, int]:
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * index)


def _equals(values: tuple[int, ...]) -> Program:
    """Allow where the loaded word is one of `values`, else refuse."""
    tests = [(_EQUAL, len(values) - n, 0, value) for n, value in enumerate(values)]
    return [*tests, _refuse(errno.EPERM), _allow()]


def _only(index: int, values: tuple[int, ...]) -> Program:
    return [_argument(index), *_equals(values)]


def _never(index: int, values: tuple[int, ...]) -> Program:
    *tests, refuse, allow = _only(index, values)
    return [*tests, allow, refuse]


_ROUTES = _only(2, (0,))
_HARMLESS: Program = [
    _argument(0),
    (_EQUAL, 0, len(_ROUTES), _NETLINK),
    *_ROUTES,
    *_equals((_UNIX, _INET, _INET6)),
]
"""Where the network is off: AF_VSOCK, AF_ALG, AF_BLUETOOTH and others lead past its namespace, or deep into the kernel."""
_PAIRS: Program = [
    _argument(0),
    (_EQUAL, 1, 0, _UNIX),
    _refuse(errno.EPERM),
    _argument(1),
    (_MASK, 0, 0, 0xF),
    *_equals((_STREAM, _SEQPACKET)),
]
"""A pair of datagram sockets could be connected anew, to a name."""


def _rules(ways: Ways) -> Iterable[tuple[str, Program]]:
    yield from _all(_REFUSED, [_refuse(errno.EPERM)])
    yield from _all(_ABSENT, [_refuse(errno.ENOSYS)])
    yield "clone", [_argument(0), (_ANY_BIT, 0, 1, _NEW_NAMESPACES), _refuse(errno.EPERM), _allow()]
    yield "personality", _only(0, (0, 0xFFFFFFFF))
    if ways.own_signals:
        yield "ioctl", _never(1, (0x5412, 0x541C, 0x8901, 0x8902))  # typing into a terminal; whom to signal
        yield "fcntl", _never(1, (8, 10, 15))  # F_SETOWN, F_SETSIG, F_SETOWN_EX
        yield from _all("kill tgkill rt_sigqueueinfo rt_tgsigqueueinfo", _only(0, (ways.own_signals,)))
        yield from _all("tkill pidfd_send_signal", [_refuse(errno.EPERM)])
    else:
        yield "ioctl", _never(1, (0x5412, 0x541C))
    if ways.alone:
        yield "socket", [_refuse(errno.EPERM)]
        yield "socketpair", _PAIRS
        yield from _all(_SHARED, [_refuse(errno.EPERM)])
        yield from _all(_OTHERS_FIRST, _only(0, (0,)))
        yield from _all(_OTHERS_SECOND, _only(1, (0,)))
    else:
        yield "socket", _HARMLESS
    if ways.same_user:
        yield from _all(_ATTRIBUTES, [_refuse(0)])
    yield from _no_set_id()


def _no_set_id() -> Iterable[tuple[str, Program]]:
    refused: Program = [(_ANY_BIT, 0, 1, _SET_ID), _refuse(errno.EPERM), _allow()]
    for name, argument in _pairs(_MODES):
        yield name, [_argument(argument), *refused]
    for name, flags in _pairs(_OPENS):  # without these flags the mode is not looked at, and may be anything
        yield name, [_argument(flags), (_ANY_BIT, 1, 0, _CREATE), _allow(), _argument(flags + 1), *refused]


def _pairs(text: str) -> Iterable[tuple[str, int]]:
    words = text.split()
    return zip(words[::2], map(int, words[1::2]), strict=True)
