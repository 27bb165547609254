"""The files of running proxies: written in one step, for their user alone, and never believed after their end."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from hunyuan_fix.cli import state
from hunyuan_fix.cli.state import Running


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "data_folder", lambda: tmp_path / "data")


@pytest.fixture
def alive() -> Iterator[Running]:
    """A proxy whose ports are open."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        port, reverse_port = (each.getsockname()[1] for each in (one, two))
        yield Running(
            os.getpid(),
            "127.0.0.1",
            port,
            reverse_port,
            "https://x.example/v1",
            "tokenhub",
            "fix",
            "/c",
            "1",
            "zh",
            "2026-11-28",
        )


def test_what_is_written_is_read(alive: Running) -> None:
    file = state.write(alive)
    assert state.running() == [alive]
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [each.name for each in file.parent.iterdir()] == [f"{os.getpid()}.json"]
    changed = replace(alive, upstream="")
    state.write(changed)
    assert state.running() == [changed]
    state.remove(file)
    assert state.running() == []
    state.remove(file)


def test_the_latest_stands_first(alive: Running) -> None:
    other = replace(alive, pid=os.getppid(), started="2026-11-29")
    state.write(alive)
    state.write(other)
    assert state.running() == [other, alive]


def test_a_killed_proxys_file_is_removed(alive: Running) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    file = state.write(replace(alive, pid=ended.pid))
    assert state.running() == []
    assert not file.exists()


def test_a_process_id_that_another_program_has_by_now_is_no_proxy(alive: Running) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # nothing accepts there
        file = state.write(replace(alive, reverse_port=bound.getsockname()[1]))
        assert state.running() == []
    assert file.exists()  # it may be a proxy that is about to listen


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("pid", pid) for pid in ("1", 0, -1, 1 << 80, True)),
        *(("reverse_port", port) for port in (None, 0, 1 << 16)),
        ("port", "8080"),
        ("host", 3),
        ("started", None),
    ],
)
def test_a_field_of_another_kind_is_passed_over(alive: Running, field: str, value: object) -> None:
    file = state.write(alive)
    file.write_text(json.dumps({**asdict(alive), field: value}), "utf-8")
    assert state.running() == []
    assert file.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"pid": 1}', "\0"])
def test_a_file_that_is_none_is_passed_over(alive: Running, text: str) -> None:
    state.write(alive)
    (state.folder() / "1.json").write_text(text)
    assert state.running() == [alive]


WRONG: dict[str, list[object]] = {
    "pid": ["x", "1", 0, -1, 1.5, True, None, 1 << 64],
    "port": ["80", 0, -1, 70_000, [], True],
    "reverse_port": ["80", 0, 1 << 64, None],
    "host": [5, None, "a..b", "\ud83d", "\0"],
    "upstream": [5, None, "no URL", "http://[", "ftp://x/v1"],
    "confdir": [5, None, "\0"],
    "started": [5, None],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_field_that_no_proxy_writes_makes_a_file_none(alive: Running, name: str, value: object) -> None:
    state.write(alive)
    damaged = state.folder() / "1.json"
    damaged.write_text(json.dumps(asdict(alive) | {name: value}))
    assert state.running() == [alive]


def test_a_folder_may_have_any_name_that_the_system_takes(alive: Running) -> None:
    odd = replace(alive, confdir="/\udcff/\u3000\N{GRINNING FACE}")
    state.write(odd)
    assert state.running() == [odd]


def test_a_field_of_a_later_version_is_passed_over(alive: Running) -> None:
    file = state.write(alive)
    file.write_text(file.read_text("utf-8").replace("{", '{"new": 1, ', 1), "utf-8")
    assert state.running() == [alive]


def test_without_a_folder_nothing_runs() -> None:
    assert state.running() == []


@pytest.mark.parametrize(("host", "reached"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("10.0.0.9", "10.0.0.9")])
def test_addresses_for_clients_on_this_machine(alive: Running, host: str, reached: str) -> None:
    open_to_others = replace(alive, host=host, reverse_port=4000, port=None)
    assert open_to_others.reverse_url == f"http://{reached}:4000"
    assert open_to_others.proxy_url is None
