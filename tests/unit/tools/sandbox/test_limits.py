"""What a worker may take, and what it must leave alone, in every confining tier that this machine has."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentfly.tools.python import PythonSandbox, PythonWorker
from agentfly.tools.sandbox import bubblewrap, check, launch
from agentfly.tools.sandbox.users import give_back, next_user

GIVEN = "3,4\n"


@pytest.fixture(scope="module", params=["bubblewrap", "landlock"])
def tier(request: pytest.FixtureRequest) -> str:
    if problem := asyncio.run(check.probe(request.param)):
        pytest.skip(f"{request.param} does not work here: {problem}")
    return str(request.param)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "given.csv").write_text(GIVEN)
    return folder


@pytest.fixture
async def worker(tier: str, workspace: Path) -> AsyncIterator[PythonWorker]:
    sandbox = PythonSandbox(memory_mb=256, tier=tier, disk_mb=8, files=300)
    async with sandbox.open(workspace, readonly=["given.csv", "absent.csv"]) as opened:
        yield opened


@pytest.mark.parametrize(
    "act",
    [
        "open('given.csv', 'w')",
        "open('given.csv', 'r+')",
        "os.truncate('given.csv', 0)",
        "os.remove('given.csv')",
        "os.rename('given.csv', 'other.csv')",
        "open('made', 'w').close(); os.replace('made', 'given.csv')",
        "os.chmod('given.csv', 0o666); open('given.csv', 'w')",
        "os.link('given.csv', 'second'); os.chmod('second', 0o666); open('second', 'w')",
    ],
)
async def test_attachments_stay_as_they_are(worker: PythonWorker, workspace: Path, act: str) -> None:
    execution = await worker.run(f"import os\nfor act in {act.split('; ')!r}:\n  exec(act)", 10)
    assert "Error" in str(execution.error)
    assert (await worker.run("open('given.csv').read()", 5)).value == repr(GIVEN)
    assert (workspace / "given.csv").read_text() == GIVEN
    assert not (workspace / "given.csv").is_symlink()


async def test_attachments_stay_when_the_worker_is_started_again(worker: PythonWorker, workspace: Path) -> None:
    assert (await worker.run("import os; os._exit(1)", 5)).restarted
    assert "Error" in str((await worker.run("open('given.csv', 'w')", 5)).error)
    assert (await worker.run("open('made', 'w').write('x'); import os; os.remove('made')", 5)).error is None
    assert (workspace / "given.csv").read_text() == GIVEN


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("for n in range(99):\n  open(f'big{n}', 'wb').write(b'x' * 2_000_000)", "more than 8 MB"),
        ("f = open('gone', 'wb'); os.remove('gone')\nwhile f.write(b'x' * 99_999): pass", "more than 8 MB"),
        ("for n in range(9999): open(f'small{n}', 'w')", "more than 300 files"),
        ("for n in range(9999): os.mkdir('d'); os.chdir('d')", "60 deep"),
        ("for n in range(9999): open(f'{tempfile.gettempdir()}/small{n}', 'w')", "more than 300 files"),
    ],
)
async def test_the_disk_is_bounded(worker: PythonWorker, workspace: Path, code: str, told: str) -> None:
    await worker.run("open('kept', 'w').write('earlier')", 5)
    execution = await worker.run(f"import os, tempfile, time\n{code}\ntime.sleep(20)", 20)
    assert execution.restarted
    assert told in str(execution.error)
    assert execution.seconds < 10
    assert {path.name for path in workspace.iterdir()} == {"given.csv", "kept"}
    assert (await worker.run("open('kept').read()", 5)).value == "'earlier'"


async def test_holes_count_as_what_they_take(worker: PythonWorker, workspace: Path) -> None:
    code = "import os, time\nopen('sparse', 'w').truncate(500_000_000)\ntime.sleep(0.6)"
    assert (await worker.run(code, 5)).error is None
    execution = await worker.run("open('sparse', 'r+b').truncate(5_000_000_000)", 5)
    assert "too large" in str(execution.error)


async def test_memory_of_all_processes_is_bounded(worker: PythonWorker) -> None:
    code = (
        "import os, time\nfor n in range(6):\n  if os.fork() == 0:\n    x = bytearray(os.urandom(1)) * 150_000_000\n"
        "    time.sleep(30)\ntime.sleep(30)"
    )
    execution = await worker.run(code, 30)
    assert "more than 384 MB of memory together" in str(execution.error)
    assert execution.seconds < 10
    assert (await worker.run("1 + 1", 5)).value == "2"


async def test_shared_pages_count_once(worker: PythonWorker) -> None:
    code = (
        "import os, time\nx = bytearray(b'x') * 100_000_000\nfor n in range(8):\n"
        "  if os.fork() == 0: time.sleep(1); os._exit(0)\ntime.sleep(0.8)"
    )
    assert (await worker.run(code, 5)).error is None


async def test_memory_files_are_refused(worker: PythonWorker) -> None:
    assert "not implemented" in str((await worker.run("import os; os.memfd_create('x')", 5)).error)


async def test_processor_time_ends_whatever_is_done_with_signals(tier: str, workspace: Path) -> None:
    code = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"
    worker = PythonWorker(workspace, tier, 256, cpu_seconds=1)
    try:
        execution = await worker.run(code, 20)
    finally:
        await worker.close()
    assert execution.restarted
    assert "ended in the middle" in str(execution.error)
    assert execution.seconds < 10


async def test_no_graphics_card(worker: PythonWorker) -> None:
    code = "import glob, os\n[os.environ['CUDA_VISIBLE_DEVICES'], [p for p in glob.glob('/dev/nvidia*') if os.access(p, os.R_OK)]]"
    assert (await worker.run(code, 5)).value == "['', []]"


async def test_frames_without_end_do_not_stop_the_clock(worker: PythonWorker) -> None:
    code = (
        "import json, os, socket, stat, struct\n"
        "def leads(fd):\n"
        "    try: return stat.S_ISSOCK(os.fstat(fd).st_mode)\n"
        "    except OSError: return False\n"
        "channel = socket.socket(fileno=next(filter(leads, range(3, 256))))\n"
        "body = json.dumps({'op': %r, 'id': 1, 'name': 'x'}).encode()\n"
        "while True: channel.sendall(struct.pack('>I', len(body)) + body)"
    )
    for kind in ("noise", "call"):
        execution = await worker.run(code % kind, 0.4)
        assert execution.timed_out or execution.restarted
        assert execution.seconds < 5
        assert (await worker.run("1 + 1", 5)).value == "2"


async def test_an_earlier_block_answers_for_no_later_one(worker: PythonWorker) -> None:
    code = (
        "import json, os, struct, time\nif os.fork() == 0:\n  for n in range(100):\n"
        "    body = json.dumps({'op': 'result', 'id': n, 'answered': True, 'answer': 'forged'}).encode()\n"
        "    for fd in range(3, 64):\n"
        "      try: os.write(fd, struct.pack('>I', len(body)) + body)\n"
        "      except OSError: pass\n"
        "  os._exit(0)\nos.wait()"
    )
    await worker.run(code, 5)
    assert not (await worker.run("2", 5)).answered


async def test_what_comes_back_can_be_written_down(worker: PythonWorker) -> None:
    execution = await worker.run("final_answer(['\\ud800', {'\\udfff': float('inf')}])", 5)
    str(execution.answer).encode()
    assert execution.answer == ["?", {"?": "inf"}]


async def test_a_closed_workspace_is_opened_again(tier: str, workspace: Path) -> None:
    async with PythonSandbox(memory_mb=256, tier=tier).open(workspace) as worker:
        assert (await worker.run("import os; os.chmod('.', 0); os._exit(1)", 5)).restarted
        assert (await worker.run("open('x', 'w').write('y')", 5)).value == "1"


async def test_no_set_id_bit_is_left_on_the_host(worker: PythonWorker, workspace: Path) -> None:
    code = "import os\nopen('x', 'w').close()\ntry: os.chmod('x', 0o4755)\nexcept PermissionError: pass\n"
    await worker.run(code + "os.close(os.open('y', os.O_CREAT | os.O_WRONLY, 0o6755))", 5)
    assert not any(path.stat().st_mode & 0o6000 for path in workspace.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives each worker a user of its own")
async def test_nothing_of_a_workers_user_is_left(workspace: Path) -> None:
    if problem := await check.probe("landlock"):
        pytest.skip(problem)
    tree = "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True:\n  try:\n    if not os.fork(): os.setsid()\n  except OSError: pass"
    async with PythonSandbox(memory_mb=256, tier="landlock").open(workspace) as worker:
        user = int((await worker.run("import os; os.getuid()", 5)).value or 0)
        assert user > 60_000
        await worker.run(tree, 0.5)
    left = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            left += [path.name] if path.stat().st_uid == user else []
        except OSError:
            continue
    assert left == []


def test_users_differ() -> None:
    if os.geteuid() != 0:
        assert next_user() == 0
        return
    taken = [next_user() for _ in range(130)]
    assert len(set(taken)) == 130
    code = "from agentfly.tools.sandbox.users import next_user; print(next_user())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(other.stdout) not in taken
    for user in taken:
        give_back(user)
    again = [next_user() for _ in range(130)]
    assert len(set(again)) == 130
    assert set(again) & set(taken), "those that were given back come round again"
    for user in again:
        give_back(user)


async def test_the_choice_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "_chosen", {})
    tried = []

    async def probe(name: str) -> str:
        tried.append(name)
        return "broken"

    monkeypatch.setattr(check, "probe", probe)
    assert await check.choose("auto", unsafe=True) == launch.UNSAFE
    assert await check.choose("auto", unsafe=True) == launch.UNSAFE
    assert tried == [name for name, tier in launch.TIERS.items() if tier.PLATFORM == "linux"]


async def test_a_tier_that_lets_something_through_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if problem := await check.probe("bubblewrap"):
        pytest.skip(problem)
    real = bubblewrap._inner
    monkeypatch.setattr(bubblewrap, "_inner", lambda spec: [*real(spec), "--ro-bind", str(tmp_path), str(tmp_path)])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert "got through to a folder of the host" in await check.probe("bubblewrap")
