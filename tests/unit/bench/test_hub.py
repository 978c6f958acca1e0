"""The hub as its client meets it: a server on loopback that answers as far as `snapshot_download` asks, and a real cache."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from agentfly.bench import hub
from agentfly.bench.datasets import load_dataset, open_dataset
from agentfly.errors import AgentflyError, ConfigError, InputError, ProviderError

SHA = "1" * 40
TOKEN = "hf_secret"
ROW = {"task_id": "a-1", "Question": "How many?", "Level": 1, "Final answer": "3", "file_name": "a-1.csv"}
FILES = {
    "2023/validation/metadata.jsonl": json.dumps(ROW).encode() + b"\n",
    "2023/validation/a-1.csv": b"x\n1\n",
    "2023/test/metadata.jsonl": json.dumps({**ROW, "task_id": "b-2", "Final answer": "?", "file_name": ""}).encode(),
}


@dataclass
class Hub:
    """What the server says, and what it was asked."""

    status: int = 200
    code: str = ""
    gated: bool = False
    asked: list[str] = field(default_factory=list)
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *args: Any) -> None:
        pass

    def _answer(self, body: bool) -> None:
        path = urlsplit(self.path).path
        if path == "/":
            return self._send(200, b"", {}, body)
        self.hub.asked.append(f"{self.command} {path}")
        allowed = not self.hub.gated or self.headers.get("Authorization") == f"Bearer {TOKEN}"
        status, code = (self.hub.status, self.hub.code) if allowed else (401, "GatedRepo")
        if status != 200:
            return self._send(status, b"{}", {"X-Error-Code": code} if code else {}, body)
        if "/revision/" in path:
            return self._send(200, json.dumps({"id": "owner/set", "sha": SHA}).encode(), {}, body)
        if "/tree/" in path:
            entries = [
                {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for name, content in FILES.items()
            ]
            return self._send(200, json.dumps(entries).encode(), {}, body)
        content = FILES[path.split(f"/resolve/{SHA}/")[1]]
        headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": SHA}
        self._send(200, content, headers, body)

    def _send(self, status: int, content: bytes, headers: dict[str, str], body: bool) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants

    told = Hub()
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": told}))
    threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
    told.url = f"http://127.0.0.1:{http.server_port}"
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, told.url)
    monkeypatch.setattr(constants, "ENDPOINT", told.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    yield told
    http.shutdown()
    http.server_close()


def wrong(name: str, kind: type[AgentflyError], *, download: bool) -> str:
    with pytest.raises(kind) as caught:
        open_dataset(name, download=download)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_nothing_is_fetched_without_being_asked_for(server: Hub) -> None:
    assert "not on this machine; --download fetches it" in wrong("hf:owner/set", InputError, download=False)
    assert server.asked == []


def test_fetched_once_and_found_again_without_the_hub(server: Hub, tmp_path: Path) -> None:
    fetched = open_dataset("hf:owner/set", download=True)
    assert (fetched.name, [task.id for task in fetched.tasks]) == ("set", ["a-1"])
    assert fetched.tasks[0].files[0].read_bytes() == b"x\n1\n"
    assert fetched.tasks[0].files[0].is_symlink()
    server.asked.clear()
    assert load_dataset("hf:owner/set") == fetched
    assert load_dataset("hf:owner/set@" + SHA) == fetched
    assert [task.id for task in load_dataset("hf:owner/set", split="test").tasks] == ["b-2"]
    assert server.asked == []
    kept = tmp_path / "cache" / "datasets--owner--set"
    assert load_dataset(kept) == load_dataset(kept / "snapshots" / SHA) == fetched


def test_only_the_split_that_is_needed_is_fetched(server: Hub) -> None:
    open_dataset("hf:owner/set", "test", download=True)
    assert not [line for line in server.asked if "/validation/" in line]
    assert "only partly on this machine" in wrong("hf:owner/set", InputError, download=False)


def test_a_gated_dataset_says_what_to_accept_where_and_which_variable_to_set(
    server: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.gated = True
    said = wrong("hf:owner/set", InputError, download=True)
    assert f"owner/set is gated: sign in at {server.url}/datasets/owner/set, accept its conditions" in said
    assert "HF_TOKEN" in said
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert len(open_dataset("hf:owner/set", download=True).tasks) == 1


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (401, "", "the hub wants a valid token for owner/set: set HF_TOKEN"),
        (403, "GatedRepo", "is gated: sign in at"),
        (403, "", "the token may not read owner/set: accept the conditions at"),
        (404, "RepoNotFound", "is not at http"),
        (404, "RevisionNotFound", "has no revision of that name"),
    ],
)
def test_refusals(server: Hub, status: int, code: str, said: str) -> None:
    server.status, server.code = status, code
    assert said in wrong("hf:owner/set", InputError, download=True)


def test_a_hub_that_fails_and_one_that_cannot_be_reached(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    server.status = 418  # what the client does not try again
    assert "could not be downloaded" in wrong("hf:owner/set", ProviderError, download=True)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert "could not be downloaded" in wrong("hf:owner/set", ProviderError, download=True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in wrong("hf:owner/set", InputError, download=True)


@pytest.mark.parametrize(
    "name", ["hf:", "hf:owner", "hf:owner/set/more", "hf:../x/y", "hf:owner/set@", "hf:o wner/set", "hf:../x"]
)
def test_malformed_names(name: str) -> None:
    assert "write a dataset of the hub as hf:OWNER/NAME" in wrong(name, InputError, download=True)


def test_only_the_hub_can_be_downloaded_from(tmp_path: Path) -> None:
    assert "only a dataset of the Hugging Face hub" in wrong(str(tmp_path), InputError, download=True)


def test_without_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ConfigError, match=r"pip install 'agentfly-framework\[hub\]'"):
        load_dataset("hf:owner/set")


def test_several_snapshots_without_a_branch(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / "datasets--o--n" / "snapshots" / name).mkdir(parents=True)
    with pytest.raises(InputError, match="holds 2 snapshots: give the folder of one"):
        hub.snapshot_in(tmp_path / "datasets--o--n")


def test_the_command_line_downloads_only_when_told(server: Hub, tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"task_id": "a-1", "model_answer": "3"}\n')
    environment = {**os.environ, "HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "0"}
    environment["NO_PROXY"] = "127.0.0.1"
    program = "from agentfly.cli.main import main; main()"
    call = [sys.executable, "-c", program, "bench", "score", "hf:owner/set", str(tmp_path / "p.jsonl"), "--json"]
    refused = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (refused.returncode, server.asked) == (2, [])
    done = subprocess.run(
        [*call, "--download"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accuracy"] == 1.0
