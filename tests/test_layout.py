"""The repository holds together: folders, links, what a wheel would hold, and what the documents point to."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINKS = {name: f"agentfly/{name}" for name in ("memory", "tools", "playbooks")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def tracked() -> list[Path]:
    """Files that a clone holds; in an unpacked archive, all there are."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode == 0 and done.stdout:
        return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]
    hidden = re.compile(r"/(\.venv|\.git|__pycache__|\.[a-z]+_cache|dist|build)(/|$)")
    return [path for path in ROOT.rglob("*") if path.is_file() and not hidden.search(path.as_posix())]


TEXTS = [
    p
    for p in tracked()
    if p.suffix in {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".sh", ""} and not p.is_symlink()
]
DOCUMENTS = [p for p in TEXTS if p.suffix == ".md" and "prompts" not in p.parts and "starters" not in p.parts]


def test_the_root_shows_what_it_should() -> None:
    folders = {"agentfly", "memory", "tools", "playbooks", "examples", "tests", "docs", ".ci"}
    files = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "constraints.txt"}
    assert {name for name in folders if not (ROOT / name).is_dir()} == set()
    assert {name for name in files if not (ROOT / name).is_file()} == set()


@pytest.mark.parametrize("name", LINKS)
def test_the_three_links_are_relative_and_resolve(name: str) -> None:
    link = ROOT / name
    assert link.is_symlink()
    assert link.readlink().as_posix() == LINKS[name]
    assert (link / "README.md").is_file()


def test_only_agentfly_can_be_imported_from_the_installed_project(tmp_path: Path) -> None:
    program = (
        "import importlib.util as u, json; print(json.dumps({n: u.find_spec(n) is not None "
        "for n in ('agentfly', 'memory', 'tools', 'playbooks', 'examples', 'tests')}))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {
        "agentfly": True,
        **dict.fromkeys(("memory", "tools", "playbooks", "examples", "tests"), False),
    }


def test_a_wheel_holds_the_package_and_nothing_beside_it(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"agentfly"}
    package = {p.relative_to(ROOT).as_posix() for p in tracked() if p.is_relative_to(ROOT / "agentfly")}
    assert package - set(names) == set(), "part of the package is missing in the wheel"
    assert {name for name in names if name.endswith("LICENSE")}


def test_the_guards_stand_in_the_configuration() -> None:
    hatch = PROJECT["tool"]["hatch"]["build"]
    assert hatch["dev-mode-exact"] is True
    assert hatch["targets"]["wheel"]["packages"] == ["agentfly"]
    assert "agentfly" in hatch["targets"]["sdist"]["only-include"]
    banned = PROJECT["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]
    assert set(banned) == set(LINKS)


def test_the_pins_cover_what_the_project_asks_for() -> None:
    pins = {normal(line.split("==")[0]) for line in (ROOT / "constraints.txt").read_text().splitlines() if line}
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = [*PROJECT["project"]["dependencies"], *(line for extra in extras for line in extra)]
    names = {normal(re.match(r"[A-Za-z0-9._-]+", line).group()) for line in wanted}  # type: ignore[union-attr]
    assert names - pins == {"agentfly-framework"}  # one extra names others


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_pins_are_pins_and_name_no_place() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+_]+", line)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_documents_point_to_what_is_there(document: Path) -> None:
    text = document.read_text()
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    targets = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", prose)
    assert [target for target in targets if not (document.parent / target).exists()] == []
    named = re.findall(r"`((?:agentfly|docs|examples|tests|\.ci)/[\w./-]+)`", prose)
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_readme_names_make_targets_and_commands_that_exist() -> None:
    rules = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for document in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        assert set(re.findall(r"\bmake ([a-z]+)\b(?=[`\s]*(?:$|#|`))", document.read_text(), re.MULTILINE)) <= rules


def test_nothing_names_this_machine_or_a_private_registry() -> None:
    place = re.compile(r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+)/|file:///|--index-url|extra-index-url")
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in TEXTS
        if ROOT / "tests" not in path.parents  # which try such places on purpose
        for match in [place.search(path.read_text(encoding="utf-8", errors="replace"))]
        if match
    ]
    assert found == []


def test_no_large_files() -> None:
    assert [path.name for path in tracked() if path.stat().st_size > 500_000] == []


def test_tests_are_no_packages_and_rooms_say_what_varies() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []
    rooms = [p.parent for p in (ROOT / "agentfly").glob("*/__init__.py") if p.parent.name != "learning"]
    assert [room.name for room in rooms if not (room / "README.md").is_file()] == []


def test_make_help_lists_every_target() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("demo", "test", "lint", "types", "bench", "docs", "clean"):
        assert f"make {target} " in done.stdout
