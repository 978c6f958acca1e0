"""The model that needs no key and no net: Qwen2.5-Coder-1.5B-Instruct in a llama.cpp server of our own."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, replace
from pathlib import Path

from agentfly.config import EmbeddedSettings
from agentfly.errors import ModelUnavailableError, ProviderError
from agentfly.events import Notice
from agentfly.models import detached
from agentfly.models.litellm import LiteLLMModel, load_litellm
from agentfly.models.weights import ensure_weights
from agentfly.protocols import CallOptions
from agentfly.types import Message, Reply

NAME = "embedded"
_MAX_TOKENS = 1024  # a small model that runs on does so to the end of its context: minutes
_CACHE_MIB = 512  # prompts kept in memory beside the slots


@dataclass(frozen=True, slots=True)
class Address:
    """Where a running server listens."""

    url: str
    key: str


class LlamaServer:
    """One llama.cpp process, shared by all models of this process that want the same.

    It starts at the first `address`, and ends with the last `release`, with this process (even when that is killed),
    or when it is idle at exit.
    """

    def __init__(self, settings: EmbeddedSettings) -> None:
        self._settings = settings
        self._users = 0
        self._guard = threading.Lock()
        self._starting: Future[Address] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = threading.Event()

    @classmethod
    def shared(cls, settings: EmbeddedSettings) -> LlamaServer:
        """The server for these settings, counted as used once more."""
        with _servers_guard:
            server = _servers.setdefault(settings, cls(settings))
            server._users += 1
            return server

    def release(self) -> None:
        """Give up one use; the last one stops the server."""
        with _servers_guard:
            self._users -= 1
            if self._users > 0:
                return
            _servers.pop(self._settings, None)
        self.stop()

    async def address(self, notify: Callable[[Notice], None]) -> Address:
        """Where the server listens, started if it is not running. Waiters share one start.

        Raises:
            WeightsError: no usable weights.
            ModelUnavailableError: llama.cpp is not installed or does not start.
        """
        with self._guard:
            if self._starting is None or not self._alive():
                self._stopped = stopped = threading.Event()
                self._starting = detached.start(lambda: self._start(notify, stopped), "embedded")
            starting = self._starting
        return await asyncio.wrap_future(starting)

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def _alive(self) -> bool:
        assert self._starting is not None
        if not self._starting.done():
            return True
        return self._starting.exception() is None and self.running

    def stop(self) -> None:
        """End the process at once, or a start that is under way."""
        self._stopped.set()
        with self._guard:
            process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def _start(self, notify: Callable[[Notice], None], stopped: threading.Event) -> Address:
        weights = ensure_weights(self._settings.weights, notify=notify, stop=stopped.is_set)
        notify(Notice(text="starting the embedded model"))
        key = secrets.token_urlsafe(24)
        process = self._launch(stopped)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(self._request(weights, key)).encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except (OSError, ValueError):  # killed, or its pipes closed by `stop`
            line = b""
        if stopped.is_set():
            raise CancelledError
        answer = json.loads(line) if line else {"error": f"the process ended with status {process.wait()}"}
        if "address" not in answer:
            self.stop()
            raise ModelUnavailableError(f"the embedded model does not start: {' '.join(answer['error'].split())}")
        return Address(answer["address"] + "/v1", key)

    def _launch(self, stopped: threading.Event) -> subprocess.Popen[bytes]:
        """Start the child, unless `stop` was called meanwhile."""
        with self._guard:
            if stopped.is_set():
                raise CancelledError
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(Path(__file__).with_name("llama_server.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in a chat ends an answer, not the server
            )
            return self._process

    def _request(self, weights: Path, key: str) -> dict[str, object]:
        return {
            "weights": str(weights),
            "key": key,
            "slots": self._settings.slots,
            "context": self._settings.context,
            "threads": self._settings.threads or _usable_cores(),
            "cache_mib": _CACHE_MIB,
        }


_servers: dict[EmbeddedSettings, LlamaServer] = {}
_servers_guard = threading.Lock()


@atexit.register
def _stop_all() -> None:
    for server in list(_servers.values()):
        server.stop()


def _usable_cores() -> int:
    """Cores that this process may use, at most 16: llama.cpp gains nothing from more on a model this small."""
    affinity = getattr(os, "sched_getaffinity", None)
    return min(16, len(affinity(0)) if affinity else os.cpu_count() or 1)


class EmbeddedModel:
    """The embedded model, ready at once and loaded at the first call.

    Args:
        settings: weights, slots (calls served side by side), context of each, threads.
        call_seconds: longest time of one call, which its options can only make shorter; the start is not counted.
        temperature: where a call's options give none.
        seed: likewise.
        notify: takes notices about preparing and starting, from another thread.
    """

    def __init__(
        self,
        settings: EmbeddedSettings = EmbeddedSettings(),
        *,
        call_seconds: float = 600.0,
        temperature: float | None = None,
        seed: int | None = None,
        notify: Callable[[Notice], None] = lambda notice: None,
    ) -> None:
        self._call_seconds = call_seconds
        self._temperature = 0.0 if temperature is None else temperature
        self._seed = seed
        self._notify = notify
        self._settings = settings
        self._server: LlamaServer | None = None
        self._inner: tuple[Address, LiteLLMModel] | None = None

    @property
    def name(self) -> str:
        return NAME

    async def start(self) -> None:
        """Prepare the weights and start the server now instead of at the first call.

        Raises:
            ModelUnavailableError: as `LlamaServer.address`.
        """
        await self._client()

    async def complete(
        self,
        messages: Sequence[Message],
        options: CallOptions = CallOptions(),
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """As `Model.complete`. A server that died is started again, once."""
        client = await self._client()
        try:
            return await client.complete(messages, options, on_text)
        except ProviderError as error:
            if self._server is not None and self._server.running:
                raise
            lost = error.usage
        reply = await (await self._client()).complete(messages, options, on_text)
        return replace(reply, usage=lost + reply.usage)

    async def aclose(self) -> None:
        server, self._server, self._inner = self._server, None, None
        if server is not None:
            server.release()

    async def _client(self) -> LiteLLMModel:
        if self._server is None:
            self._server = LlamaServer.shared(self._settings)
        if self._inner is None:
            detached.start(load_litellm, "import-litellm")  # both take seconds, and on different cores
        address = await self._server.address(self._notify)
        if self._inner is None or self._inner[0] != address:
            client = LiteLLMModel(
                f"openai/{NAME}",
                api_base=address.url,
                api_key=address.key,
                retries=1,
                call_seconds=self._call_seconds,
                temperature=self._temperature,
                seed=self._seed,
                max_tokens=_MAX_TOKENS,
                label=NAME,
            )
            self._inner = (address, client)
        return self._inner[1]
