"""How many cases are active, without counting them after each write."""

from __future__ import annotations

import threading
import weakref

from agentfly.store.database import Database

_lock = threading.Lock()
_counted: weakref.WeakKeyDictionary[Database, tuple[int, int]] = weakref.WeakKeyDictionary()


def at_most(db: Database, enough: int) -> int:
    """A number that the active cases do not exceed; their exact number where it is more than `enough`.

    Every change of a case raises the revision by one, and makes at most one more case active. So a count stays an upper
    bound for as many changes as there were places free, in whatever process they happen.
    """
    revision = int(db.read("SELECT value FROM case_revision")[0][0])
    with _lock:
        counted = _counted.get(db)
    if counted is not None and counted[0] <= revision and counted[1] + revision - counted[0] <= enough:
        return counted[1] + revision - counted[0]
    active = int(db.read("SELECT count(*) FROM cases WHERE status = 'active'")[0][0])
    with _lock:
        _counted[db] = revision, active
    return active
