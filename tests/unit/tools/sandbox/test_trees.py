"""Folders that code left behind: counted, removed, put back."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentfly.folders import below, measure, remove_tree
from agentfly.tools.sandbox.attachments import Kept
from agentfly.tools.sandbox.owner import hand_over
from agentfly.tools.sandbox.seatbelt import profile
from agentfly.tools.sandbox.usage import Bounds, shrink


def deep(folder: Path, levels: int) -> None:
    """Folders within folders, deeper than any path can name."""
    handle = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=handle)
        inner = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(handle)


def test_a_tree_is_counted_without_following_links(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    (outside / "large").write_bytes(b"x" * 5_000_000)
    inside.mkdir()
    (inside / "link").symlink_to(outside)
    (inside / "below").mkdir()
    (inside / "below" / "small").write_bytes(b"x" * 5000)
    os.link(inside / "below" / "small", inside / "below" / "again")
    with (inside / "sparse").open("wb") as file:
        file.truncate(1 << 30)
    size = measure(inside, 1000)
    assert size.files == 5
    assert 5000 <= size.bytes < 100_000
    assert measure(inside, 2).files > 2
    assert measure(tmp_path / "absent", 9).files == 0


def test_deep_folders_count_as_too_many(tmp_path: Path) -> None:
    deep(tmp_path, 200)
    assert measure(tmp_path, 1000).files > 1000


def test_everything_below_is_found_however_deep_and_no_link_is_followed(tmp_path: Path) -> None:
    folder, outside = tmp_path / "tree", tmp_path / "outside"
    folder.mkdir()
    (outside / "kept").mkdir(parents=True)
    (folder / "file").touch()
    (folder / "link").symlink_to(outside)
    deep(folder, 3000)
    found = list(below(folder))
    assert {path.name for path in found} == {"file", "link", "d"}
    assert 1500 < len(found) < 3000, "as deep as paths can be named"
    remove_tree(folder)
    assert list(below(folder)) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_deep_tree_is_handed_over(tmp_path: Path) -> None:
    deep(tmp_path, 1500)
    hand_over(tmp_path, 12345)
    assert {path.lstat().st_uid for path in below(tmp_path)} == {12345}
    remove_tree(tmp_path / "d")


def test_a_tree_is_removed_however_deep(tmp_path: Path) -> None:
    folder, outside = tmp_path / "tree", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "kept").touch()
    deep(folder, 3000)
    (folder / "link").symlink_to(outside)
    os.mkfifo(folder / "fifo")
    (folder / "closed").mkdir()
    (folder / "closed" / "file").touch()
    (folder / "closed").chmod(0)
    remove_tree(folder)
    assert not folder.exists()
    assert (outside / "kept").exists()
    remove_tree(folder)


@pytest.fixture
def plain() -> Iterator[Path]:
    """A folder of an ordinary user's, who this process is for as long: modes of files hold for it, as they do not for root."""
    folder, user = Path(tempfile.mkdtemp()), 65534 if os.geteuid() == 0 else os.geteuid()
    os.chown(folder, user, -1)
    before = os.geteuid()
    os.seteuid(user)
    try:
        yield folder
    finally:
        os.seteuid(before)
        with contextlib.suppress(OSError):
            folder.chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("mode", [0, 0o300, 0o600], ids=oct)
@pytest.mark.parametrize("closed", [".", "outer", "outer/inner"])
def test_closed_folders_hide_nothing_and_are_removed(plain: Path, closed: str, mode: int) -> None:
    folder = plain / "work"
    (folder / "outer" / "inner").mkdir(parents=True)
    (folder / "outer" / "inner" / "file").touch()
    (folder / closed).chmod(mode)
    assert measure(folder, 1000).files > 1000
    remove_tree(folder)
    assert not folder.exists()


def test_a_link_is_not_removed_as_a_tree(plain: Path) -> None:
    (plain / "there").mkdir(mode=0o500)
    (plain / "link").symlink_to("there")
    remove_tree(plain / "link")
    assert (plain / "link").is_symlink()
    assert (plain / "there").stat().st_mode & 0o777 == 0o500


def test_what_was_made_last_goes_first(tmp_path: Path) -> None:
    for name in ("given", "earlier", "late"):
        (tmp_path / name).write_bytes(b"x" * 3_000_000)
    before, bounds = measure(tmp_path / "absent", 1), Bounds(memory_mb=1, disk_mb=7)
    shrink(tmp_path, {"given", "earlier"}, ["given"], before, bounds)
    assert {path.name for path in tmp_path.iterdir()} == {"given", "earlier"}
    shrink(tmp_path, {"given", "earlier"}, ["given"], before, bounds._replace(disk_mb=4))
    assert {path.name for path in tmp_path.iterdir()} == {"given"}


@pytest.mark.parametrize("harm", ["remove", "replace", "link", "folder"])
def test_attachments_are_put_back(tmp_path: Path, harm: str) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    path = folder / "given.csv"
    path.write_text("3,4")
    path.chmod(0o640)
    kept = Kept(folder, ["given.csv", "absent.csv"])
    assert path.stat().st_mode & 0o777 == 0o444
    kept.restore()
    path.unlink()
    if harm == "replace":
        path.write_text("forged")
    elif harm == "link":
        path.symlink_to("/etc/passwd")
    elif harm == "folder":
        path.mkdir()
        (path / "below").touch()
    kept.restore()
    assert path.read_text() == "3,4"
    assert not path.is_symlink()
    kept.close()
    assert path.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["work"]
    kept.close()


def test_the_profile_for_macos() -> None:
    text = profile([Path('/opt/py "x"')], [Path("/work")], [Path("/work/given.csv")])
    lines = text.splitlines()
    assert lines[:2] == ["(version 1)", "(deny default)"]
    assert lines[-1] == "(deny network*)"
    assert '(subpath "/opt/py \\"x\\"")' in text
    write, keep = '(allow file-write* (subpath "/work"))', '(deny file-write* (literal "/work/given.csv"))'
    assert lines.index(write) < lines.index(keep), "the later rule holds"
    assert text.count("(") == text.count(")")
    assert "file-write*" not in profile([Path("/opt")], [], [])
