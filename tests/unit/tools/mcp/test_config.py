"""The configuration that people have from other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentfly.errors import ConfigError
from agentfly.tools.mcp.config import Program, Remote, read_servers


def test_the_shapes_that_people_have(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.write_text(
        json.dumps(
            {
                "inputs": [],
                "mcpServers": {
                    "time": {"command": "uvx", "args": ["mcp-server-time"], "env": {"A": "${X}", "PORT": 80}},
                    "here": {"command": "./server", "cwd": str(tmp_path), "disabled": False},
                    "off": {"command": "x", "disabled": True},
                    "gone": {"command": "x", "enabled": False, "args": "wrong"},
                    "web": {"url": "https://example.org/mcp?key=${env:X}", "headers": {"Authorization": "Bearer ${X}"}},
                    "old": {"url": "http://127.0.0.1:1/sse", "type": "sse", "autoApprove": []},
                    "new": {"url": "https://a.b", "transport": "streamable-http"},
                },
            }
        ),
        encoding="utf-8-sig",
    )
    found = {spec.name: spec for spec in read_servers(file, {"X": "secret"})}
    assert set(found) == {"time", "here", "web", "old", "new"}
    assert found["time"].target == Program(command="uvx", args=("mcp-server-time",), env={"A": "secret", "PORT": "80"})
    assert found["here"].target == Program(command="./server", cwd=tmp_path)
    web = found["web"].target
    assert isinstance(web, Remote)
    assert (web.url, web.headers["Authorization"], web.transport) == (
        "https://example.org/mcp?key=secret",
        "Bearer secret",
        "any",
    )
    assert web.where == "https://example.org/mcp"
    assert "secret" not in repr(found["web"]) + repr(found["time"])
    assert [found[name].target.transport for name in ("old", "new")] == ["sse", "http"]  # type: ignore[union-attr]
    assert found["old"].ignored == ("autoApprove",)


def test_the_shape_of_vs_code() -> None:
    (spec,) = read_servers({"servers": {"a": {"type": "stdio", "command": "x"}}}, {})
    assert spec.target == Program(command="x")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "must hold an object such as"),
        ({}, "has no mcpServers"),
        ({"mcpServers": []}, "mcpServers must be an object of servers by name"),
        ({"mcpServers": {"a": "x"}}, "mcpServers.a must be an object"),
        ({"mcpServers": {" ": {"command": "x"}}}, "a server needs a name"),
        ({"mcpServers": {"a": {}}}, "mcpServers.a must be an object with either command or url"),
        ({"mcpServers": {"a": {"command": "x", "url": "http://a"}}}, "either command or url"),
        ({"mcpServers": {"a": {"command": ["x"]}}}, "mcpServers.a.command must be a text"),
        ({"mcpServers": {"a": {"command": " "}}}, "mcpServers.a.command must be the name of a program"),
        ({"mcpServers": {"a": {"command": "x", "args": "y"}}}, "mcpServers.a.args must be a list of texts"),
        ({"mcpServers": {"a": {"command": "x", "args": [None]}}}, "mcpServers.a.args[0] must be a text"),
        ({"mcpServers": {"a": {"command": "x\0"}}}, "mcpServers.a.command must be a text"),
        ({"mcpServers": {"a": {"command": "x", "env": ["A=1"]}}}, "mcpServers.a.env must be an object of texts"),
        ({"mcpServers": {"a": {"command": "x", "env": {"A": {}}}}}, "mcpServers.a.env.A must be a text"),
        ({"mcpServers": {"a": {"command": "x", "cwd": "/no/such"}}}, "mcpServers.a.cwd: no such folder: /no/such"),
        ({"mcpServers": {"a": {"command": "${NO}"}}}, "mcpServers.a.command: the environment variable NO is not set"),
        ({"mcpServers": {"a": {"url": "ftp://x"}}}, "mcpServers.a.url must be an address that begins with http"),
        ({"mcpServers": {"a": {"url": "http://[x"}}}, "mcpServers.a.url must be an address"),
        ({"mcpServers": {"a": {"url": "http://x:99999"}}}, "mcpServers.a.url must be an address"),
        ({"mcpServers": {"a": {"url": "http://x", "type": "carrier"}}}, "mcpServers.a.type must be http or sse"),
        ({"mcpServers": {"a": {"url": "http://x", "headers": 1}}}, "mcpServers.a.headers must be an object"),
    ],
)
def test_one_clear_error_for_a_wrong_shape(data: Any, message: str, tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.write_text(json.dumps(data))
    with pytest.raises(ConfigError) as raised:
        read_servers(file, {})
    assert message in str(raised.value)
    assert str(file) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b'{"a":\n oops}', "line 2: not valid JSON"), (b"\xff\xfe\x00", "is not JSON in UTF-8"), (b"[" * 90_000, "JSON")],
)
def test_files_that_are_no_json(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_servers(file, {})
    with pytest.raises(ConfigError, match="no such file"):
        read_servers(tmp_path / "none.json", {})
    with pytest.raises(ConfigError, match="cannot be read"):
        read_servers(tmp_path, {})
