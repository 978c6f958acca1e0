"""The docket of a window: what it has decided on and changed so far, so that none of it is done twice.

A window that begins again after its process was killed goes the same way once more. It finds the playbook as it was at each
point then, the gates' verdicts with the attempts that they made, and its changes as made.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from agentfly.nodes.state import Noted, Notes, Ruled
from agentfly.playbooks.delta import Delta
from agentfly.playbooks.history import Committed
from agentfly.playbooks.ledger import PlaybookLedger
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.rules import Rules

BEGUN, CHANGED, DECIDED = "begun", "changed", "decided"


class Docket:
    """A playbook's ledger as one window sees it.

    Args:
        book: the ledger.
        whole: begins a transaction of the home's database.
        notes: the journal of open runs.
        run_id: of the run under which the journal has this.
        work: the word under which it has it.
    """

    def __init__(
        self,
        book: PlaybookLedger,
        whole: Callable[[], AbstractContextManager[Any]],
        notes: Notes,
        run_id: str,
        work: str,
    ) -> None:
        self._book, self._whole, self._notes, self._run_id, self._work = book, whole, notes, run_id, work
        entries = [entry for entry in notes.read(run_id) if entry.attempt == work]
        self._changed = _payloads(entries, CHANGED)
        self._decided = _payloads(entries, DECIDED)
        self._times: Counter[str] = Counter()
        begun = _payloads(entries, BEGUN)
        if not begun:
            begun = {"": {"version": book.current().version}}
            notes.add(run_id, work, BEGUN, "", begun[""])
        self._now = int(begun[""]["version"])
        self._last = max((int(one["version"] or 0) for one in self._changed.values()), default=self._now)

    def current(self) -> Playbook:
        """The newest version; while a way is gone again, the one that stood at this point of it."""
        return self._book.at(self._now) if self._now < self._last else self._book.current()

    def commit(
        self, delta: Delta, *, author: str, run: str, reason: str, evidence: Mapping[str, Any], rules: Rules
    ) -> Committed:
        """As `PlaybookLedger.commit`, once."""
        key = self._key("commit", delta, run)
        known = self._changed.get(key)
        if known is not None:
            version = known["version"]
            self._now = max(self._now, int(version or 0))
            return Committed(version=version or self._now, accepted=version is not None, playbook=self.current())
        with self._whole():  # the change and the note of it, or neither
            done = self._book.commit(
                delta, author=author, run=run, reason=reason, evidence=evidence, rules=rules
            )  # fmt: skip
            self._note(CHANGED, key, {"version": done.version if done.accepted else None})
        if done.accepted:
            self._now = self._last = done.version
        return done

    def drop(self, delta: Delta, reason: str, evidence: Mapping[str, Any], run: str) -> None:
        """As `PlaybookLedger.drop`, once."""
        key = self._key("drop", delta, run)
        if key in self._changed:
            return
        with self._whole():
            self._book.drop(delta, reason, evidence, run)
            self._note(CHANGED, key, {"version": None})

    def verdict(self, delta: Delta, run: str) -> Mapping[str, Any] | None:
        """What was noted of a gate's verdict on a delta of a run; None where it has not been judged yet."""
        return self._decided.get(_digest(delta, run))

    def decide(self, delta: Delta, run: str, told: Mapping[str, Any]) -> None:
        """Note a gate's verdict, before anything is done upon it."""
        self._decided[_digest(delta, run)] = told
        self._note(DECIDED, _digest(delta, run), told)

    def shown(self, ids: Iterable[str]) -> None:
        """As `PlaybookLedger.shown`."""
        self._book.shown(ids)

    def ruled(self, delta: Delta, run: str) -> Ruled | None:
        """As `PlaybookLedger.ruled`."""
        return self._book.ruled(delta, run)

    def relevant(self, text: str) -> Mapping[str, float]:
        """As `PlaybookLedger.relevant`."""
        return self._book.relevant(text)

    def history(self, limit: int | None = 20, *, dropped: bool = True) -> Sequence[Any]:
        """As `PlaybookLedger.history`."""
        return self._book.history(limit, dropped=dropped)

    def _key(self, kind: str, delta: Delta, run: str) -> str:
        """Names a change: the same one again within a window is another one."""
        key = f"{kind} {_digest(delta, run)}"
        self._times[key] += 1
        return f"{key} {self._times[key]}"

    def _note(self, kind: str, key: str, told: Mapping[str, Any]) -> None:
        self._notes.add(self._run_id, self._work, kind, key, told)


def _payloads(entries: Iterable[Noted], kind: str) -> dict[str, Mapping[str, Any]]:
    return {entry.key: entry.payload for entry in entries if entry.kind == kind}


def _digest(delta: Delta, run: str) -> str:
    return hashlib.sha256(f"{run}\n{delta.to_json()}".encode("utf-8", "replace")).hexdigest()[:24]
