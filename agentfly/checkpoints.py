"""LangGraph checkpoints in the home's database, so that a killed run resumes after its last finished node."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver

from agentfly import protocols, types
from agentfly.records import from_json, to_json
from agentfly.store.database import Transaction

_RECORDS = {
    kind.__name__: kind
    for kind in (
        types.Attempt, types.Bullet, types.Case, types.Feedback, types.Learned, types.Recalled, types.Reflection,
        types.Task, types.Usage, protocols.Trial,
    )
}  # fmt: skip
_TAG = "agentfly record"
_TUPLE = "agentfly tuple"
"""MessagePack knows lists only."""


class RecordSerializer(JsonPlusSerializer):
    """LangGraph's serializer, with our records as JSON: they come back as they were, tuples included.

    Only the records named here are ever rebuilt: the database is data, not code.
    """

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        return super().dumps_typed(_plain(obj))

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        return _rebuilt(super().loads_typed(data))


def _plain(value: Any) -> Any:
    if type(value).__name__ in _RECORDS and isinstance(value, _RECORDS[type(value).__name__]):
        return {_TAG: type(value).__name__, "json": to_json(value)}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if type(value) is tuple:
        return {_TUPLE: [_plain(item) for item in value]}
    if type(value) is list:
        return [_plain(item) for item in value]
    return value


def _rebuilt(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {_TAG, "json"}:
            return from_json(_RECORDS[value[_TAG]], value["json"])
        if value.keys() == {_TUPLE}:
            return tuple(_rebuilt(item) for item in value[_TUPLE])
        return {key: _rebuilt(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_rebuilt(item) for item in value)
    return value


def forget(tx: Transaction, thread_id: str) -> None:
    """Remove the checkpoints of a thread, in a transaction of the home's database; there may be none, and no tables of them."""
    for row in tx.read("SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('checkpoints', 'writes')"):
        tx.execute(f"DELETE FROM {row['name']} WHERE thread_id = ?", (thread_id,))


class Checkpointer(SqliteSaver):
    """LangGraph's SQLite saver, callable from async graphs: each call takes under a millisecond on a local disk."""

    def __init__(self, database: Path) -> None:
        connection = sqlite3.connect(database, check_same_thread=False, timeout=5.0)
        # What a killed process had committed stays. Should the power fail, a checkpoint of the last moments may be lost, but never
        # what was written before it: it goes on from an earlier one then.
        connection.execute("PRAGMA synchronous = NORMAL")
        super().__init__(connection, serde=RecordSerializer(allowed_msgpack_modules=None))
        self.setup()

    def close(self) -> None:
        """Close the connection."""
        self.conn.close()

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return self.get_tuple(config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        found: Iterator[CheckpointTuple] = self.list(config, filter=filter, before=before, limit=limit)
        for item in found:
            yield item

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        return self.put(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        self.put_writes(config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        self.delete_thread(thread_id)
