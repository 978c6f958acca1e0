"""Landlock: what of the file system this process, and all that comes of it, may touch from here on."""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import struct
from collections.abc import Iterable

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same on every machine
_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
_BENEATH = 1  # LANDLOCK_RULE_PATH_BENEATH
_EXECUTE, _WRITE, _READ, _LIST = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MOVE, _TRUNCATE, _DEVICE = 1 << 13, 1 << 14, 1 << 15
_LOOK = _EXECUTE | _READ | _LIST
_MAKE = (1 << 13) - (1 << 4)  # remove and make entries of every kind
_SPECIAL = 1 << 6 | 1 << 9 | 1 << 11  # character devices, sockets, block devices
_OF_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE | _DEVICE
_NETWORK = 0b11  # bind and connect TCP
_SCOPED = 0b11  # abstract sockets, signals
_RULE = struct.Struct("=Qi")


def version() -> int:
    """Landlock's ABI here; 0 where there is none."""
    found = _libc().syscall(ctypes.c_long(_CREATE), None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    return max(int(found), 0)


def restrict(readable: Iterable[str], writable: Iterable[str], devices: Iterable[str]) -> int:
    """Allow these and nothing else, for good. Needs "no new privileges".

    Args:
        readable: files and folders that may be read and executed, with all below them.
        writable: folders where anything may be done but making devices and sockets.
        devices: files that may be read and written.

    Returns:
        Landlock's ABI. From 4 on TCP is off, from 6 on signals and abstract sockets end at this process's family.

    Raises:
        OSError: the kernel has no Landlock, or refuses.
    """
    abi, libc = version(), _libc()
    handled = (1 << 13) - 1
    for since, right in ((2, _MOVE), (3, _TRUNCATE), (5, _DEVICE)):
        handled |= right if abi >= since else 0
    attributes = [handled, *([_NETWORK] if abi >= 4 else []), *([_SCOPED] if abi >= 6 else [])]
    packed = struct.pack(f"={len(attributes)}Q", *attributes)
    rules = _checked(libc.syscall(ctypes.c_long(_CREATE), packed, ctypes.c_size_t(len(packed)), ctypes.c_uint32(0)))
    try:
        change = (_LOOK | _WRITE | _MAKE | _MOVE | _TRUNCATE) & ~_SPECIAL
        for paths, rights in ((readable, _LOOK), (writable, change), (devices, _READ | _WRITE)):
            for path in paths:
                with contextlib.suppress(FileNotFoundError, PermissionError):  # what cannot be opened stays closed
                    _allow(libc, rules, path, rights & handled)
        _checked(libc.syscall(ctypes.c_long(_RESTRICT), ctypes.c_int(rules), ctypes.c_uint32(0)))
    finally:
        os.close(rules)
    return abi


def _allow(libc: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            rights &= _OF_FILES
        rule = _RULE.pack(rights, handle)
        numbers = (ctypes.c_long(_ADD), ctypes.c_int(rules), ctypes.c_int(_BENEATH))
        _checked(libc.syscall(*numbers, rule, ctypes.c_uint32(0)))
    finally:
        os.close(handle)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "Landlock was refused")
    return result


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc
