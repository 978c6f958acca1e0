"""Finding a row by what a person typed: a whole id, or the beginning of one."""

from __future__ import annotations

from typing import Literal

from agentfly.errors import InputError
from agentfly.store.database import Database


def find_id(db: Database, table: Literal["runs", "cases"], given: str) -> str:
    """The one id that is `given`, or that begins with it; the ``case-`` of a case may be left out.

    Raises:
        InputError: there is none, or more than one.
    """
    noun = table.removesuffix("s")
    given = given.strip()
    if not given:
        raise InputError(f"which {noun}? give an id or its beginning")
    rows = db.read(
        f"""SELECT id FROM {table} WHERE id = :given OR substr(id, 1, length(:given)) = :given
            OR substr(id, 1, 5 + length(:given)) = 'case-' || :given
            ORDER BY id <> :given, id LIMIT 4""",
        {"given": given},
    )
    ids = [str(row["id"]) for row in rows]
    if not ids:
        raise InputError(f"no {noun} has an id that begins with {given!r}")
    if len(ids) > 1 and ids[0] != given:
        raise InputError(
            f"{given!r} is the beginning of several {noun}s: {', '.join(ids[:3])}{' ...' * (len(ids) > 3)}"
        )
    return ids[0]
