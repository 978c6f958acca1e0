"""Opening a home: what is made, and what is refused with one clear line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from agentfly.errors import HomeError
from agentfly.store.home import Home

ROOT = Path(__file__).resolve().parents[3]


def test_opens_makes_and_opens_again(tmp_path: Path) -> None:
    with Home.open(tmp_path / "deep" / "home") as home:
        first = home.id
        assert home.path == tmp_path / "deep" / "home"
        assert {path.name for path in home.path.iterdir()} >= {"agentfly.db", "index", "artifacts"}
    with Home.open(str(tmp_path / "deep" / "home"), create=False) as again:
        assert again.id == first
    with Home.open(tmp_path / "other") as other:
        assert other.id != first


def test_closing_twice_is_fine(tmp_path: Path) -> None:
    home = Home.open(tmp_path)
    home.close()
    home.close()


@pytest.mark.parametrize("kind", ["file", "missing", "no home", "under a file"])
def test_what_is_no_home(tmp_path: Path, kind: str) -> None:
    path, create = tmp_path / "x", kind in {"file", "under a file"}
    if kind == "file":
        path.write_text("x")
    elif kind == "no home":
        path.mkdir()
    elif kind == "under a file":
        path.write_text("x")
        path = path / "home"
    with pytest.raises(HomeError) as caught:
        Home.open(path, create=create)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not path.exists() or kind in {"file", "no home"}


def test_emptied_database_of_a_used_home_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    Home.open(tmp_path).close()
    (tmp_path / "playbook.md").write_text("# Playbook")
    (tmp_path / "agentfly.db").write_bytes(b"")
    with pytest.raises(HomeError, match="is empty although"):
        Home.open(tmp_path)
    (tmp_path / "agentfly.db").unlink()
    Home.open(tmp_path).close()


READ_ONLY = """
import os, sys
from agentfly.store.home import Home
from agentfly.errors import HomeError
if os.geteuid() == 0:
    os.seteuid(65534)
try:
    Home.open(sys.argv[1])
except HomeError as error:
    print(error)
"""


@pytest.mark.parametrize("used", [True, False])
def test_home_that_cannot_be_written(used: bool) -> None:
    # Root may write anywhere, so a child gives its rights up; the folder must be one that it can reach.
    folder = Path(tempfile.mkdtemp(prefix="agentfly-test-"))
    try:
        if used:
            Home.open(folder).close()
            (folder / "agentfly.db").chmod(0o444)
        folder.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", READ_ONLY, str(folder)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
    assert "cannot be opened for writing" in done.stdout, done.stderr
    assert done.stdout.count("\n") == 1
