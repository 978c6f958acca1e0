"""The home: the folder that holds everything an agent has learned."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from agentfly.errors import HomeError
from agentfly.store.database import Database

DATABASE = "agentfly.db"
SETTINGS, MCP_SERVERS, MCP_PINS = "config.yaml", "mcp.json", "mcp_pins.json"


class Home:
    """An open home folder. Use `Home.open`.

    ======================  ===========================================================
    ``agentfly.db``         SQLite: the truth
    ``index/``              Chroma: rebuilt from the truth whenever it is missing or bad
    ``playbook.md``         the playbook for people to read
    ``config.yaml``         settings, optional
    ``mcp.json``            MCP servers whose tools the agent uses, optional
    ``mcp_pins.json``       what of them is trusted
    ``artifacts/``          files that runs produced
    ======================  ===========================================================
    """

    def __init__(self, path: Path, db: Database) -> None:
        self.path = path
        self.db = db

    @classmethod
    def open(cls, path: str | Path, create: bool = True, *, wait: float = 5.0) -> Home:
        """Open a home, and make it where it does not exist yet.

        Args:
            path: the folder.
            create: whether to make it.
            wait: seconds to wait for another process's lock on the database.

        Raises:
            HomeError: a file, not writable, damaged, or no home and not to be made.
            HomeTooNewError: written by a newer version; left as it is.
            HomeBusyError: the database stayed locked.
        """
        folder = Path(path).expanduser().absolute()
        if folder.exists() and not folder.is_dir():
            raise HomeError(f"home {folder} is a file; give a folder")
        if not create and not (folder / DATABASE).is_file():
            raise HomeError(f"{folder} is not an agentfly home (it holds no {DATABASE})")
        _refuse_emptied(folder)
        home = cls(folder, _database(folder, create, wait))
        home._make_folders()
        return home

    @property
    def id(self) -> str:
        """Names this home for good; an index that was built for another one is told apart by it."""
        return str(self.db.read("SELECT value FROM meta WHERE key = 'home_id'")[0]["value"])

    @property
    def index(self) -> Path:
        return self.path / "index"

    @property
    def playbook(self) -> Path:
        return self.path / "playbook.md"

    @property
    def config(self) -> Path:
        return self.path / SETTINGS

    @property
    def artifacts(self) -> Path:
        return self.path / "artifacts"

    def close(self) -> None:
        """Close the database. May be called twice."""
        self.db.close()

    def __enter__(self) -> Home:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _make_folders(self) -> None:
        try:
            self.index.mkdir(exist_ok=True)
            self.artifacts.mkdir(exist_ok=True)
        except OSError as error:
            self.close()
            raise HomeError(f"home {self.path} cannot be used: {error.strerror}: {error.filename}") from None


def _refuse_emptied(folder: Path) -> None:
    """An empty database beside things that only a used home has was emptied: starting afresh would hide the loss."""
    database = folder / DATABASE
    if (
        database.is_file()
        and database.stat().st_size == 0
        and not database.with_name(DATABASE + "-wal").exists()
        and ((folder / "playbook.md").exists() or any((folder / "index").glob("*")))
    ):
        raise HomeError(
            f"{database} is empty although this home was used; restore it from a backup, or delete it to start afresh"
        )


def _database(folder: Path, create: bool, wait: float) -> Database:
    try:
        if create:
            folder.mkdir(parents=True, exist_ok=True)
        return Database(folder / DATABASE, create=create, wait=wait)
    except OSError as error:
        raise HomeError(f"home {folder} cannot be made: {error.strerror}") from None
