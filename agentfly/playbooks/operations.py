"""Carrying out a delta: one small function for each operation, each of which checks everything before it changes anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from agentfly.playbooks.changes import Change, Refusal
from agentfly.playbooks.delta import Add, Delta, Merge, Operation, Remove, TagBullet, Update
from agentfly.playbooks.draft import Draft
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.refine import Neighbours
from agentfly.playbooks.rules import Refused, Rules
from agentfly.playbooks.sequence import Entry
from agentfly.playbooks.text import bullet_text
from agentfly.types import Bullet, BulletKind

_RULES = Rules()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a delta."""

    playbook: Playbook
    changes: tuple[Change, ...] = ()
    """Net changes: one for each bullet that differs."""
    refusals: tuple[Refusal, ...] = ()
    merged: tuple[Refusal, ...] = ()
    """What was added to a bullet that says nearly the same, in place of a bullet of its own."""


def carry_out(
    playbook: Playbook,
    delta: Delta,
    *,
    run: str | None = None,
    version: int | None = None,
    rules: Rules = _RULES,
    neighbours: Neighbours | None = None,
) -> Outcome:
    """Apply what can be applied of a delta, and say what changed and what was refused.

    Operations see the bullets that were there before the delta, as earlier operations left them: ids that the delta
    itself hands out cannot be named in it, because it may be applied again on a newer version, where they differ.

    Args: as `Playbook.apply`, and:
        neighbours: what says nearly the same as each `add`. Such an `add` makes no bullet: its provenance goes to the
            nearest of them, which keeps its id, place, text and counts. None takes every `add` by its letter.
    """
    target = playbook.version + 1 if version is None else version
    work = _Work(playbook, Draft(playbook.parts), run, target, rules, neighbours)
    refusals = []
    for index, operation in enumerate(delta.operations):
        try:
            if index >= rules.operations:
                raise Refused(f"a delta may have {rules.operations} operations")
            work.carry_out(index, operation)
        except Refused as problem:
            refusals.append(Refusal(index, operation.op, str(problem)))
    changes = work.changes()
    changed = Playbook(_parts=work.draft.parts(), _version=target) if changes else playbook
    return Outcome(playbook=changed, changes=changes, refusals=tuple(refusals), merged=tuple(work.merged))


class _Work:
    """One application of one delta."""

    def __init__(
        self,
        before: Playbook,
        draft: Draft,
        run: str | None,
        version: int,
        rules: Rules,
        neighbours: Neighbours | None,
    ) -> None:
        self.draft = draft
        self.merged: list[Refusal] = []
        self._neighbours = neighbours
        self._made: dict[int, str] = {}  # operation -> bullet that it added, or was merged into
        self._before = before
        self._run = (run,) if run else ()
        self._version = version
        self._rules = rules
        self._touched: dict[str, int] = {}  # id -> position, in the order in which they were first touched
        self._gone: dict[str, int] = {}  # id -> operation that took it out

    def carry_out(self, index: int, operation: Operation) -> None:
        match operation:
            case Add():
                self._add(index, operation)
            case Update():
                self._update(operation)
            case Merge():
                self._merge(index, operation)
            case Remove():
                self._take_out(index, self._known(operation.id))
            case TagBullet():
                self._tag(operation)

    def changes(self) -> tuple[Change, ...]:
        found = []
        for bullet_id, position in self._touched.items():
            before, entry = self._before.get(bullet_id), self.draft.find(bullet_id)
            after = entry.bullet if entry else None
            if before != after:
                found.append(Change(before=before, after=after, position=position))
        return tuple(found)

    def _add(self, index: int, operation: Add) -> None:
        twin = self._twin(index, operation)
        if twin is not None:
            self._absorb(index, twin, operation)
            return
        text = self._text(operation.text, operation.kind)
        section = self.draft.section(operation.section, self._rules)  # opens it: nothing may be refused past here
        bullet_id, position = self.draft.new_place(section)
        bullet = Bullet(
            id=bullet_id,
            section=section.name,
            text=text,
            kind=operation.kind,
            runs=self._joined(operation.runs, self._run),
            cases=self._joined(operation.cases),
            version=self._version,
        )
        self._put(bullet, position)
        self._made[index] = bullet_id

    def _twin(self, index: int, operation: Add) -> Entry | None:
        """The bullet that says nearly the same already and still does after the operations before this one."""
        if self._neighbours is None:
            return None
        text = bullet_text(operation.text, operation.kind, self._rules)
        names = (self._same(text, operation.kind), *self._neighbours.get(index, ()))
        for bullet_id in (self._made.get(name) if isinstance(name, int) else name for name in names):
            entry = self.draft.find(bullet_id) if bullet_id else None
            if entry is None or entry.bullet.kind != operation.kind:
                continue
            before = self._before.get(entry.bullet.id)
            if before is None or before.text == entry.bullet.text or entry.bullet.text == text:
                return entry
        return None

    def _absorb(self, index: int, twin: Entry, operation: Add) -> None:
        bullet = twin.bullet
        runs = self._joined(bullet.runs, operation.runs, self._run)
        cases = self._joined(bullet.cases, operation.cases)
        if (runs, cases) != (bullet.runs, bullet.cases):
            self._put(replace(bullet, runs=runs, cases=cases), twin.order[1])
        self._made[index] = bullet.id
        self.merged.append(Refusal(index, operation.op, f"nearly the same as {bullet.id}, and merged into it"))

    def _update(self, operation: Update) -> None:
        order, bullet = self._known(operation.id)
        text = self._text(operation.text, bullet.kind, but=(bullet.id,))
        if text != bullet.text:
            self._put(replace(bullet, text=text, runs=self._joined(bullet.runs, self._run)), order[1])

    def _merge(self, index: int, operation: Merge) -> None:
        if len(set(operation.ids)) < len(operation.ids):
            raise Refused("a bullet is named twice")
        if len(operation.ids) < 2:
            raise Refused("a merge needs two bullets or more")
        entries = [self._known(bullet_id) for bullet_id in operation.ids]
        sources = [entry.bullet for entry in entries]
        if len({bullet.kind for bullet in sources}) > 1:
            raise Refused("bullets of different kinds cannot be merged")
        first = sources[0]
        text = self._text(operation.text, first.kind, but=operation.ids)
        for entry in entries:
            self._take_out(index, entry)
        section = self.draft.section(first.section, self._rules)
        merged = Bullet(
            id=self.draft.new_place(section)[0],
            section=first.section,
            text=text,
            kind=first.kind,
            helpful=sum(bullet.helpful for bullet in sources),
            harmful=sum(bullet.harmful for bullet in sources),
            shown=sum(bullet.shown for bullet in sources),
            runs=self._joined(*(bullet.runs for bullet in sources), self._run),
            cases=self._joined(*(bullet.cases for bullet in sources)),
            version=self._version,
        )
        self._put(merged, entries[0].order[1])

    def _tag(self, operation: TagBullet) -> None:
        order, bullet = self._known(operation.id)
        if operation.tag == "helpful":
            self._put(replace(bullet, helpful=bullet.helpful + 1), order[1])
        elif operation.tag == "harmful":
            self._put(replace(bullet, harmful=bullet.harmful + 1), order[1])

    def _known(self, bullet_id: str) -> Entry:
        if bullet_id in self._gone:
            raise Refused(f"{bullet_id} was taken out by operation {self._gone[bullet_id]}")
        entry = self.draft.find(bullet_id)
        if entry is None or bullet_id not in self._before:
            raise Refused(f"there is no bullet {bullet_id[:40]!r}")
        return entry

    def _text(self, raw: str, kind: BulletKind, but: Iterable[str] = ()) -> str:
        text = bullet_text(raw, kind, self._rules)
        same = self._same(text, kind)
        if same is not None and same not in but:
            raise Refused(f"{same} says the same already")
        return text

    def _same(self, text: str, kind: BulletKind) -> str | None:
        """The bullet that says the same word for word; of code also letter for letter, where case makes a difference."""
        same = self.draft.same_text(text)
        entry = self.draft.find(same) if same is not None else None
        return None if kind == "check" and entry is not None and entry.bullet.text != text else same

    def _joined(self, *sources: tuple[str, ...]) -> tuple[str, ...]:
        """Names in order, each once; where they are too many, the newest."""
        return tuple(dict.fromkeys(name for names in sources for name in names if name))[-self._rules.provenance :]

    def _put(self, bullet: Bullet, position: int) -> None:
        self._touched.setdefault(bullet.id, position)
        self.draft.put(bullet, position)

    def _take_out(self, index: int, entry: Entry) -> None:
        bullet_id = entry.bullet.id
        self._touched.setdefault(bullet_id, entry.order[1])
        self.draft.drop(bullet_id)
        self._gone[bullet_id] = index
