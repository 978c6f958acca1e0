"""User ids for workers of a root host: no two workers on a machine share one, whichever process started them."""

from __future__ import annotations

import os
import socket

from agentfly.errors import SandboxError

_FIRST, _LAST = 61184, 65519
"""The range that systemd keeps for services without an account."""
_BLOCK = 64
_BLOCKS = (_LAST - _FIRST + 1) // _BLOCK


class _Users:
    """The ids of one process: blocks that it holds by listening under their names for as long as it lives."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._free: list[int] = []
        self._holders: list[socket.socket] = []

    def take(self) -> int:
        """An id that no worker has.

        Raises:
            SandboxError: all of them are in use.
        """
        if not self._free:
            number = next((n % _BLOCKS for n in range(self.pid, self.pid + _BLOCKS) if self._held(n % _BLOCKS)), None)
            if number is None:
                raise SandboxError("no user id is left for another worker: end some of those that run on this machine")
            first = _FIRST + number * _BLOCK
            self._free = list(range(first, first + _BLOCK))
        return self._free.pop(0)

    def give_back(self, user: int) -> None:
        """Nothing runs as this user any more."""
        self._free.append(user)

    def _held(self, number: int) -> bool:
        """Take a block, unless another process has it."""
        holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            holder.bind(f"\0agentfly-users-{number}")
        except OSError:
            holder.close()
            return False
        self._holders.append(holder)
        return True


_users = _Users(os.getpid())


def next_user() -> int:
    """A uid for one worker; 0 where the host is not root and all run as its own user.

    Raises:
        SandboxError: none is left.
    """
    global _users
    if os.geteuid() != 0:
        return 0
    if _users.pid != os.getpid():  # a fork: the ids are its parent's
        _users = _Users(os.getpid())
    return _users.take()


def give_back(user: int) -> None:
    """The worker of this user has ended."""
    if user and _users.pid == os.getpid():
        _users.give_back(user)
