"""An agent's parts as a benchmark uses them: every model call goes through the throttle, the cache, and the attempt's own seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path

from agentfly.bench.results import Key
from agentfly.bench.running.cache import ReplyCache, key_of
from agentfly.bench.running.pace import Pace
from agentfly.bench.running.retrying import tried
from agentfly.bench.running.throttle import Throttle
from agentfly.composition import Composition, Given
from agentfly.config import Settings
from agentfly.protocols import CallOptions, Model
from agentfly.types import Message, Reply

SEEDS_APART = 10_000
"""Between the seeds of two attempts at a task; further than what one attempt adds to its own."""

_HERE = ("embedded", "ollama/", "ollama_chat/")


@dataclass(slots=True)
class Work:
    """The attempt that is being worked on; model calls find it by their context."""

    key: Key
    asked: Counter[str] = field(default_factory=Counter)
    """How often each call was made before, by its key."""
    cached: int = 0
    """Calls that the cache answered."""


working: ContextVar[Work | None] = ContextVar("working", default=None)
"""The attempt of this context; None outside of one."""


class MeasuredModel:
    """A model as the attempts of a benchmark run call it.

    Args:
        model: who answers.
        throttle: how many calls may be under way.
        cache: of replies; None asks each time.
        place: where the model is reached, as far as replies depend on it.
        seconds: longest time of a call, also where the attempt has more than that left.
        retries: further tries, where the model makes none itself.
    """

    def __init__(
        self,
        model: Model,
        throttle: Throttle,
        cache: ReplyCache | None,
        place: str,
        *,
        seconds: float = 300.0,
        retries: int = 0,
    ) -> None:
        self._model, self._throttle, self._cache = model, throttle, cache
        self._seconds, self._retries = seconds, retries
        self._place = f"{model.name} {place}"
        # A model on this machine loses no call, and would only have more to do.
        self._pace = None if model.name.startswith(_HERE) else Pace()

    @property
    def name(self) -> str:
        return self._model.name

    async def complete(
        self,
        messages: Sequence[Message],
        options: CallOptions = CallOptions(),
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """As `Model.complete`. What the cache answers costs no money and no time; its tokens count, so that limits are hit as before."""
        work = working.get()
        if work is not None and options.seed is not None:
            options = replace(options, seed=options.seed + SEEDS_APART * work.key[1])
        key = "" if self._cache is None or work is None else self._key(messages, options, work)
        if key and self._cache is not None and (known := self._cache.get(key)) is not None:
            if work is not None:
                work.cached += 1
            if on_text is not None:
                on_text(known.text)
            return replace(known, usage=replace(known.usage, calls=0, cost_usd=0.0, seconds=0.0, failed_calls=0))
        reply = await self._asked(messages, options, on_text)
        if key and self._cache is not None:
            self._cache.put(key, reply)
        return reply

    async def aclose(self) -> None:
        """As `Model.aclose`."""
        await self._model.aclose()

    def _key(self, messages: Sequence[Message], options: CallOptions, work: Work) -> str:
        first = key_of(self._place, messages, options, work.key, 0)
        before = work.asked[first]
        work.asked[first] += 1
        return key_of(self._place, messages, options, work.key, before) if before else first

    async def _asked(
        self, messages: Sequence[Message], options: CallOptions, on_text: Callable[[str], None] | None
    ) -> Reply:
        async def once(left: float) -> Reply:
            within = replace(options, timeout=left)
            if self._pace is None:
                return await self._model.complete(messages, within, on_text)
            return await self._pace.call(
                lambda: self._model.complete(messages, within, on_text),
                lambda: self._model.complete(messages, within),
            )

        seconds = self._seconds if options.timeout is None else min(options.timeout, self._seconds)
        return await tried(once, self._throttle, retries=self._retries, seconds=seconds)


class MeasuredComposition(Composition):
    """Parts whose models are measured.

    Args:
        home: the working home.
        settings: as of `Composition`.
        given: as of `Composition`.
        throttle: of all its model calls.
        cache: of replies.
    """

    def __init__(
        self, home: Path, settings: Settings, given: Given, throttle: Throttle, cache: ReplyCache | None
    ) -> None:
        self._throttle, self._cache = throttle, cache
        self._measured: dict[int, MeasuredModel] = {}
        super().__init__(home, settings, given)

    @property
    def critic(self) -> Model:
        """Who judges where somebody is asked."""
        return self._model(self.settings.models.judge)

    def _model(self, name: str | None = None) -> Model:
        from agentfly.models.choose import longest_call

        model, settings = self._plain(name), self.settings
        if id(model) not in self._measured:
            seconds = longest_call(settings, name or self._choice[0])
            self._measured[id(model)] = MeasuredModel(
                model, self._throttle, self._cache, settings.api_base or "", seconds=seconds, retries=settings.retries
            )
        return self._measured[id(model)]

    def _plain(self, name: str | None) -> Model:
        """The model, which does not try again by itself."""
        if name is None and self.given.model is not None:
            return self.given.model
        from agentfly.models.choose import open_model

        name = name or self._choice[0]
        if name not in self._models:
            once = self.settings.model_copy(update={"retries": 0})
            self._models[name] = open_model(name, once, self.given.notify)
        return self._models[name]
