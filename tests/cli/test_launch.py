"""The command line of `run`: what its flags stand for, and what mitmproxy gets."""

from __future__ import annotations

import re
import socket
import sys
from pathlib import Path

import pytest

from hunyuan_fix.cli import addresses, launch
from hunyuan_fix.cli import main as cli
from hunyuan_fix.cli.run import with_free_ports
from hunyuan_fix.config.worker_place import WorkerPlace
from hunyuan_fix.texts import terminal


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (*addresses.PORTS.values(), "HUNYUAN_LANGUAGE"):
        monkeypatch.delenv(variable, raising=False)


def settings(*words: str) -> list[str]:
    given = launch.parse(words, "")
    return [word for word in given.arguments if word != "--set"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--upstream", "https://a/v1"], ["hunyuan_upstream=https://a/v1"]),
        (["--upstream=https://a/v1"], ["hunyuan_upstream=https://a/v1"]),
        (["--intl"], [f"hunyuan_upstream={addresses.INTERNATIONAL}"]),
        (["--legacy"], ["hunyuan_upstream="]),
        (["--key-file", "k", "--profile", "p"], ["hunyuan_api_key_file=k", "hunyuan_profile=p"]),
        (["--language", "zh"], ["hunyuan_language=zh"]),
        ([], []),
    ],
)
def test_a_flag_sets_an_option(words: list[str], expected: list[str]) -> None:
    assert settings(*words) == expected


def test_the_default_is_no_argument_and_kimi_has_none() -> None:
    assert launch.parse([], "").defaults == {"hunyuan_upstream": "successor"}
    assert launch.parse(["--kimi"], "").defaults == {}


def test_mitmweb_shows_the_address_that_the_proxy_listens_on() -> None:
    command = launch.parse(["--host", "127.0.0.3", "--port", "8123"], "").command()
    assert command[command.index("--listen-host") + 1] == "127.0.0.3"
    assert command[command.index("--listen-port") + 1] == "8123"
    # Another mode of the user's own would get that port too.
    assert "--listen-port" not in launch.parse(["--mode", "socks5"], "").command()
    assert "--listen-port" not in launch.parse(["-m", "socks5"], "").command()


def test_the_users_own_arguments_come_last() -> None:
    words = ["--listen-port", "1", "-w", "flows"]
    assert launch.parse(words, "").command()[-4:] == words


@pytest.mark.parametrize(
    ("words", "language"),
    [
        (["--language", "zh"], "zh"),
        (["--language=en", "--web"], "en"),
        (["--set", "hunyuan_language=zh"], "zh"),
        (["--set=hunyuan_language=zh"], "zh"),
        (["--", "x", "--language", "zh"], None),
        ([], None),
    ],
)
def test_the_language_is_known_before_anything_is_said(words: list[str], language: str | None) -> None:
    assert launch.given_language(words) == language


def test_a_port_that_is_chosen_is_not_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    assert launch.parse(["--port", "1"], "").chosen == {"--port"}
    assert launch.parse(["--reverse-port=1"], "").chosen == {"--reverse-port"}
    monkeypatch.setenv("HUNYUAN_FIX_PORT", "2")
    assert launch.parse([], "").chosen == {"--port"}


def test_the_order_in_which_ports_are_tried_is_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = {8080, 8082, 4000, 4001}
    for module in ("addresses", "run"):
        monkeypatch.setattr(f"hunyuan_fix.cli.{module}.port_is_free", lambda port, host: port not in taken)
    monkeypatch.setattr("hunyuan_fix.cli.state.running", list)
    moved, lines = with_free_ports(launch.parse([], ""))
    assert (moved.port, moved.reverse_port) == (8083, 4002)  # 8081 is mitmweb's own
    assert lines == ["Port 8080 is taken, so this proxy uses 8083.", "Port 4000 is taken, so this proxy uses 4002."]
    # A port that the user has chosen isn't given to the other.
    moved, _ = with_free_ports(launch.parse(["--reverse-port", "8083"], ""))
    assert (moved.port, moved.reverse_port) == (8084, 8083)
    taken |= {8081}
    moved, lines = with_free_ports(launch.parse(["--web"], ""))
    assert moved.arguments == ("--web-port", "8084")
    assert len(lines) == 3
    for own in (["--web-port", "9"], ["--set", "web_port=9"]):
        assert "8084" not in with_free_ports(launch.parse(["--web", *own], ""))[0].arguments


def test_where_all_are_taken_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hunyuan_fix.cli.addresses.port_is_free", lambda port, host: False)
    with pytest.raises(OSError, match=r"ports 8080 to 8179 on 127\.0\.0\.1 are taken"):
        with_free_ports(launch.parse([], ""))


@pytest.mark.parametrize(
    ("host", "address"), [("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1"), ("[::1]", "::1"), ("::", "::")]
)
def test_the_host_becomes_an_address(host: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """mitmproxy takes no name there."""
    monkeypatch.setattr("hunyuan_fix.cli.addresses.port_is_free", lambda port, host: True)
    assert with_free_ports(launch.parse(["--host", host], ""))[0].host == address


@pytest.mark.parametrize(
    "words", [["--set", "confdir="], ["--set=confdir="], ["--set", "confdir=x", "--set", "confdir="]]
)
def test_an_empty_folder_of_mitmproxys_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The CA's key would be made in the current folder."""
    with pytest.raises(SystemExit):
        launch.parse(words, "")
    assert "confdir needs a folder" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["", " ", "a..b", "x" * 300, "127.0.0.1:80", "http://127.0.0.1", "\ud83d", "{host}"])
def test_what_is_no_address_is_refused(host: str) -> None:
    with pytest.raises(socket.gaierror):
        with_free_ports(launch.parse(["--host", host], ""))


def test_a_url_that_no_flag_stands_before_is_no_filter(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        launch.parse(["HTTPS://a/v1"], "")
    assert ended.value.code == 2
    assert "to send calls to HTTPS://a/v1, put --upstream before it" in capsys.readouterr().err
    assert launch.parse(["~u https://a"], "").arguments == ("~u https://a",)


@pytest.mark.parametrize("port", ["9" * 5000, "-1", "0", "65536", "８０", "", "{port}"])
def test_a_port_that_is_none_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        launch.parse(["--port", port], "")
    assert "is not a port (1 to 65535)" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["run", "env", "token", "path", ""])
def test_help_in_chinese(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str) -> None:
    monkeypatch.setenv("HUNYUAN_LANGUAGE", "zh")
    before = terminal.language()
    try:
        with pytest.raises(SystemExit) as ended:
            cli.main([*filter(None, [name]), "--help"])
    finally:
        terminal.use(before)
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith("用法：hunyuan-fix")
    # Not the names of the commands, options and what may be given.
    prose = re.sub(r"(?m)^  \w+(?=  )|`[^`]*`|\"[^\"]*\"|--?[\w-]+|\S*[/$%_.{}\[\]]\S*", "", said)
    assert not re.search(r"\b(?:the|and|with|options|usage|show|default|of)\b", prose), prose


@pytest.mark.skipif(sys.platform == "win32", reason="a path of this system")
def test_the_folder_is_absolute() -> None:
    assert launch.parse(["--set", "confdir=~/x"], "").confdir == Path("~/x").expanduser()


def test_workers_are_a_number_or_as_many_as_there_are_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    assert launch.parse([], "").workers is None
    assert launch.parse(["--workers", "1"], "").workers == 1
    monkeypatch.setattr("hunyuan_fix.config.operating_system.usable_cpus", lambda: 6)
    assert launch.parse(["--workers", "auto"], "").workers == 6
    monkeypatch.setattr("hunyuan_fix.config.operating_system.usable_cpus", lambda: 500)
    assert launch.parse(["--workers", "auto"], "").workers == launch.MOST_WORKERS


@pytest.mark.parametrize("number", ["0", "65", "-1", "two", "", "１", "1.5"])
def test_what_is_no_number_of_workers_is_refused(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        launch.parse([f"--workers={number}"], "")
    assert "is no number of workers: 1 to 64, or auto" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--web"], "doesn't go with --web"),
        (["--", "claude"], "it doesn't go with --"),
        (["--mode", "socks5"], "doesn't go with --mode"),
        (["-m", "socks5"], "doesn't go with -m"),
        (["-wflows"], "doesn't go with -wflows"),
        (["--save-stream-file=flows"], "doesn't go with --save-stream-file"),
        (["-r", "flows"], "doesn't go with -r"),
    ],
)
def test_what_several_processes_cannot_do_together_is_refused(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        launch.parse(["--workers", "2", *words], "")
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_windows_has_no_workers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SystemExit):
        launch.parse(["--workers", "2"], "")
    assert "doesn't work on Windows" in capsys.readouterr().err


def test_a_worker_is_told_its_place_and_starts_no_others() -> None:
    call = launch.WorkerCall(WorkerPlace(2, 4), 7, (8, 9))
    worker = launch.parse(["--worker", str(call), "--workers", "4", "--port", "1234"], "")
    assert (worker.worker, worker.workers) == (call, None)
    # The next request of a conversation may come to another one.
    assert worker.defaults["hunyuan_keep"] == "store"
    assert "hunyuan_keep" not in launch.parse([], "").defaults
