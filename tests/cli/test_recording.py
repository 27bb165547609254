"""The command lines of `record` and `replay`: what is given, what a file adds, what is refused."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from hunyuan_fix.cli import recording, replay
from hunyuan_fix.cli.arguments import Parser
from hunyuan_fix.cli.launch import parse
from hunyuan_fix.recording import file
from hunyuan_fix.recording.recordings import Report
from hunyuan_fix.wire import secret_shapes
from tests.cli.shell_environment import environment, run

KEY = "sk-test"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def ended(name: str, *arguments: str, home: Path, **variables: str) -> CompletedProcess[str]:
    return run(name, *arguments, given=environment(home, **{"HUNYUAN_API_KEY": KEY, **variables}))


def recorded(path: Path, *lines: dict[str, Any], **head: Any) -> Path:
    written = [{"hunyuan-fix recording": 1, **head}, *lines]
    path.write_text("".join(json.dumps(line) + "\n" for line in written), "utf-8")
    return path


class Ran:
    """Stands in for `recording.run`, and keeps what it was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, status: int = 0, report: Report | None = None) -> None:
        self.status, self.report = status, report
        self.given: list[str] = []
        self.key: str | None = None
        monkeypatch.setattr(recording, "run", self)

    def __call__(self, given: recording.Given, what: str, prefix: str, key: str | None = None) -> Any:
        self.given, self.key = [*given.options], key
        words = [*given.options, "--", *given.words]
        return self.status, self.report, parse(words, prefix, what)


@pytest.mark.parametrize("name", ["record", "replay"])
def test_a_command_line_that_cannot_be_meant(home: Path, name: str) -> None:
    for words, why in (
        ((), "the file stands first"),
        (("--model", "x", "run.jsonl", "--", "aider"), "the file stands first"),
        (("run.jsonl",), "which agent?"),
        (("run.jsonl", "--"), "which agent?"),
        (("run.jsonl", "aider"), "which agent?"),
    ):
        done = ended(name, *words, home=home)
        assert (done.returncode, why in done.stderr) == (2, True), done.stderr
        assert f"usage: scripts/{name} FILE" in done.stderr
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("name", ["record", "replay"])
def test_help_says_what_it_does_in_both_languages(home: Path, name: str) -> None:
    done = ended(name, "--help", home=home)
    assert done.returncode == 0
    assert "docs/replay.md" in done.stdout
    assert "智能体" in ended(name, "--help", home=home, HUNYUAN_LANGUAGE="zh").stdout


def test_a_recording_that_is_there_is_not_replaced(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = recorded(home / "run.jsonl")
    before = path.read_bytes()
    done = ended("record", "run.jsonl", "--", "aider", home=home)
    assert done.returncode == 2
    assert "run.jsonl exists already. --overwrite" in done.stderr
    assert path.read_bytes() == before
    Ran(monkeypatch, report=Report(calls=1))
    done = ended("record", "run.jsonl", "--overwrite", "--model", "m", "--", "aider", home=home)
    assert done.returncode == 0
    assert file.read(path).head == {"hunyuan-fix recording": 1, "agent": "aider", "model": "m"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_attempt_to_record_anew_leaves_what_was_there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = recorded(home / "run.jsonl", agent="codex")
    before = path.read_bytes()
    Ran(monkeypatch, status=127)
    assert ended("record", "run.jsonl", "--overwrite", "--", "no-such-agent", home=home).returncode == 127
    assert path.read_bytes() == before
    Ran(monkeypatch, report=Report(calls=1))
    ended("record", "run.jsonl", "--overwrite", "--", "aider", home=home)
    assert path.read_bytes() != before
    assert [file.name for file in home.iterdir()] == ["run.jsonl"]


def test_the_head_says_what_a_replay_needs_and_no_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Ran(monkeypatch, status=7, report=Report(calls=3, tokens=12_345, seconds=4.25))
    key_file = home / "key"
    key_file.write_text(KEY)
    words = ("--profile", "tokenhub", "--set", "hunyuan_translate=always", "--key-file", str(key_file))
    done = ended("record", "run.jsonl", *words, "--for", "codex", "--", "my-codex", home=home)
    assert done.returncode == 7, "the agent's own"
    head = file.read(home / "run.jsonl").head
    assert head["agent"] == "codex"
    assert head["options"] == {"hunyuan_profile": "tokenhub", "hunyuan_translate": "always"}
    assert "recorded in run.jsonl: 3 calls, 12,345 tokens, 4.2 s" in done.stderr
    assert "scripts/replay run.jsonl -- my-codex" in done.stderr


def test_nothing_is_left_of_a_recording_without_calls(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for report, words in ((Report(), "nothing was recorded"), (None, "")):
        Ran(monkeypatch, status=1, report=report)
        done = ended("record", "run.jsonl", "--", "aider", home=home)
        assert done.returncode == 1
        assert words in done.stderr
        assert not (home / "run.jsonl").exists()


def test_a_file_that_cannot_be_written(home: Path) -> None:
    done = ended("record", "no/run.jsonl", "--", "aider", home=home)
    assert (done.returncode, done.stderr) == (2, "scripts/record: no/run.jsonl: No such file or directory\n")


def test_a_replay_has_the_options_of_the_recording(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = Ran(monkeypatch, report=Report(calls=1))
    options = {"hunyuan_profile": "tokenhub", "hunyuan_translate": "always"}
    recorded(home / "run.jsonl", {"endpoint": "https://a.example/v1"}, agent="codex", model="m", options=options)
    done = ended("replay", "run.jsonl", "--", "my-codex", home=home, HUNYUAN_API_KEY="")
    assert done.returncode == 0, done.stderr
    assert ran.given == [
        *("--for", "codex", "--model", "m", "--set", "hunyuan_upstream=https://a.example/v1"),
        *("--set", "hunyuan_profile=tokenhub", "--set", "hunyuan_translate=always"),
    ]
    assert ran.key == replay.KEY
    # What the user gives is stronger.
    words = ("--model=other", "--upstream", "https://b.example/v1", "--profile", "hunyuan")
    ended("replay", "run.jsonl", *words, "--", "codex", home=home)
    assert ran.given == ["--set", "hunyuan_translate=always", *words]


def test_a_strangers_recording_sets_nothing_else(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An option may start a program, or name a file that is written."""
    ran = Ran(monkeypatch, report=Report(calls=1))
    options = {"hunyuan_plugins": "evil.py", "hunyuan_search_command": "evil", "confdir": "/x", "hunyuan_window": ["1"]}
    recorded(home / "run.jsonl", {"endpoint": ""}, agent="nobody", model=3, options=options)
    ended("replay", "run.jsonl", "--", "aider", home=home)
    assert ran.given == ["--set", "hunyuan_upstream="]
    recorded(home / "run.jsonl", options=["x"])
    ended("replay", "run.jsonl", "--", "aider", home=home)
    assert ran.given == ["--set", "hunyuan_upstream="]


def test_a_miss_is_told_and_has_a_status_of_its_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(home / "run.jsonl")
    report = Report(calls=2, tokens=30, seconds=1.0, left=0, missed=3, misses=["one", "two", "one"])
    for status, expected in ((0, replay.MISSED), (5, 5)):
        Ran(monkeypatch, status=status, report=report)
        done = ended("replay", "run.jsonl", "--", "aider", home=home)
        assert done.returncode == expected
        assert done.stderr.splitlines()[-3:] == [
            "scripts/replay: not in run.jsonl (3):",
            "scripts/replay:   one",
            "scripts/replay:   two",
        ]


def test_calls_that_nobody_asked_for_are_told_and_no_fault(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"message": "m", "is": {}}, {"answer": "a", "is": {}}
    calls = [{"call": f"c{n}", "form": "chat", "with": {}, "messages": ["m"], "answer": "a"} for n in range(4)]
    recorded(home / "run.jsonl", *said, *calls)
    Ran(monkeypatch, report=Report(calls=1, tokens=5, seconds=8.0, left=3))
    done = ended("replay", "run.jsonl", "--", "aider", home=home)
    assert done.returncode == 0
    assert "1 calls, which saved 5 tokens and 2.0 s of waiting" in done.stderr, "a quarter of what all took"
    assert "not asked for 3 of the recorded calls" in done.stderr


def test_a_file_that_is_no_recording_starts_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = Ran(monkeypatch)
    for text, why in (
        ('{"hunyuan-fix recording":2}\n', "line 1: a newer hunyuan-fix"),
        ('{"hunyuan-fix recording":1}\n{"call', "line 2: it is cut off"),
        ("hello\n", "line 1: this is no recording"),
        ("", "the file is empty"),
    ):
        (home / "run.jsonl").write_text(text)
        done = ended("replay", "run.jsonl", "--", "aider", home=home)
        assert (done.returncode, why in done.stderr) == (2, True), done.stderr
    assert "No such file" in ended("replay", "other.jsonl", "--", "aider", home=home).stderr
    done = ended("replay", "run.jsonl", "--", "aider", home=home, HUNYUAN_LANGUAGE="zh")
    assert "文件是空的" in done.stderr
    assert ran.given == []


def test_the_flags_are_read_before_the_agents_own(home: Path) -> None:
    parser = Parser("record")
    parser.add_argument("--overwrite", action="store_true")
    given = recording.read(["f", "--overwrite", "--model", "m", "--", "aider", "--overwrite", "--", "x"], parser)
    assert (given.overwrite, given.options, given.words) == (
        True,
        ["--model", "m"],
        ["aider", "--overwrite", "--", "x"],
    )
    assert given.file == Path("f").absolute()
    given = recording.read(["f", "--overwrite", "--", "aider"], Parser("replay"))
    assert (given.overwrite, given.options) == (False, ["--overwrite"]), "an option that replay doesn't have"


def test_the_agents_key_in_a_replay_is_hidden_as_a_real_one() -> None:
    """A command that prints it then gives the same as when it was recorded."""
    assert secret_shapes.hidden(f"KEY={replay.KEY}") == "KEY=[API key hidden]"
