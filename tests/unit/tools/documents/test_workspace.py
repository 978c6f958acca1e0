"""The way to a file: nothing outside of the workspace, nothing but files."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from agentfly.errors import ToolError
from agentfly.tools.documents.listing import ListFiles
from agentfly.tools.documents.workspace import entries, opened


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("SECRET")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("SECRET")
    folder = tmp_path / "w"
    (folder / "sub").mkdir(parents=True)
    (folder / "data.csv").write_text("a,b\n")
    (folder / "sub" / "deep.txt").write_text("deep")
    return folder


def _read(workspace: Path, name: str) -> str:
    with opened(workspace, name) as found:
        return found.file.read().decode()


@pytest.mark.parametrize(
    "name", ["data.csv", "./data.csv", " data.csv ", "/workspace/data.csv", "sub/../data.csv", "sub//deep.txt"]
)
def test_names_as_models_write_them(workspace: Path, name: str) -> None:
    if ".." in name:
        with pytest.raises(ToolError, match="relative"):
            _read(workspace, name)
    else:
        assert _read(workspace, name) in ("a,b\n", "deep")
    assert _read(workspace, str(workspace / "data.csv")) == "a,b\n"


@pytest.mark.parametrize(
    "name",
    ["../secret.txt", "/etc/passwd", "~/x", "sub/../../secret.txt", "/workspace/../secret.txt", "a\0b", "//etc/passwd"],
)
def test_paths_that_lead_out_are_refused(workspace: Path, name: str) -> None:
    with pytest.raises(ToolError, match="not in the working folder"):
        _read(workspace, name)


def test_links(workspace: Path) -> None:
    (workspace / "inner").symlink_to("sub/deep.txt")
    (workspace / "folder").symlink_to("sub")
    assert _read(workspace, "inner") == "deep"
    assert _read(workspace, "folder/deep.txt") == "deep"
    (workspace / "out").symlink_to("../secret.txt")
    (workspace / "outfolder").symlink_to(workspace.parent / "outside")
    (workspace / "circle").symlink_to("circle")
    (workspace / "chain").symlink_to("out")
    (workspace / "proc").symlink_to("/proc/self/environ")
    for name in ("out", "outfolder/secret.txt", "circle", "chain", "proc"):
        with pytest.raises(ToolError, match="link that leads"):
            _read(workspace, name)


def test_a_link_that_is_swapped_in_is_not_followed(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code in the sandbox may exchange a file for a link after it was looked at and before it is opened."""
    real = os.open

    def swapping(path: str | Path, flags: int, *rest: int, **options: int) -> int:
        if path == "data.csv":
            (workspace / "data.csv").unlink()
            (workspace / "data.csv").symlink_to("../secret.txt")
        return real(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", swapping)
    with pytest.raises(ToolError):
        _read(workspace, "data.csv")


def test_what_is_no_file_is_refused_at_once(workspace: Path) -> None:
    os.mkfifo(workspace / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(workspace)
        try:
            listener.bind("sock")
        finally:
            os.chdir(here)
        for name in ("pipe", "sock"):
            with pytest.raises(ToolError, match="not a file"):
                _read(workspace, name)
    with pytest.raises(ToolError, match="is a folder"):
        _read(workspace, "sub")


def test_a_wrong_name_is_told_which_there_are(workspace: Path) -> None:
    with pytest.raises(
        ToolError, match=r"no file 'Data.cvs'. Did you mean 'data.csv'\? Files: 'data.csv', 'sub/deep.txt'"
    ):
        _read(workspace, "Data.cvs")
    with pytest.raises(ToolError, match=r"Did you mean 'sub/deep.txt'"):
        _read(workspace, "deep.txt")


async def test_list_files(workspace: Path) -> None:
    os.mkfifo(workspace / "pipe")
    (workspace / "out").symlink_to("../secret.txt")
    (workspace / "pic").write_bytes(b"\x89PNG\r\n\x1a\n")
    (workspace / "none.txt").touch()
    tool = ListFiles().at(workspace)
    assert (await tool.call({})).splitlines() == [
        "data.csv (4 bytes, csv text)",
        "none.txt (0 bytes, empty)",
        "out (a link)",
        "pic (8 bytes, png)",
        "pipe (a pipe, a device or a socket)",
        "sub/",
        "sub/deep.txt (4 bytes, txt text)",
    ]
    assert await tool.call({"pattern": "*.TXT"}) == "none.txt (0 bytes, empty)\nsub/deep.txt (4 bytes, txt text)"
    assert await tool.call({"folder": "sub"}) == "sub/deep.txt (4 bytes, txt text)"
    assert "No file matches '*.xyz'. Files: 'data.csv'" in await tool.call({"pattern": "*.xyz"})
    for folder in ("..", "/etc", "out", "data.csv", "none"):
        with pytest.raises(ToolError):
            await tool.call({"folder": folder})


def test_a_folder_that_cannot_be_listed_hides_nothing_else(workspace: Path) -> None:
    (workspace / "a").mkdir()
    found = entries(workspace)
    assert next(found).name == "a"
    (workspace / "a").rmdir()
    assert [entry.name for entry in found] == ["data.csv", "sub", "sub/deep.txt"]


async def test_listings_are_bounded(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number:03}.txt").touch()
    text = await ListFiles().at(tmp_path).call({})
    assert len(text.splitlines()) == 201
    assert "and 100 more" in text
