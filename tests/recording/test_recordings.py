"""What the step asks: recorded here, found again in another folder; refused with what differs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix.config.option import OptionError
from hunyuan_fix.exchange import Response
from hunyuan_fix.recording import file, settings
from hunyuan_fix.recording.places import Folders
from hunyuan_fix.recording.recordings import REPORT, Recordings
from hunyuan_fix.recording.settings import RecordingSettings
from hunyuan_fix.wire import json_body
from tests.recording.calls import FOLDERS, answer, asked, assistant, user

ELSEWHERE = Folders("/srv/other", "/Users/bob", "/var/tmp", {})
KEY = "sk-1abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agent.jsonl"


def begun(path: Path, what: str, folders: Folders = FOLDERS, *secrets: str) -> Recordings:
    made = Recordings(folders)
    made.use(made.opened(what, path), "https://a.example/v1", lambda: secrets)
    return made


def writes(path_in: str) -> dict[str, Any]:
    call = {"id": "call_1", "type": "function", "function": {"name": "Write", "arguments": json.dumps({"p": path_in})}}
    return {**answer(""), "choices": [{"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}


def record(path: Path, *secrets: str) -> None:
    recordings = begun(path, "record", FOLDERS, *secrets)
    recordings.keep(asked(user("in /tmp/rec/work on 2026-11-29")), writes("/tmp/rec/work/a.txt"), 1.25)
    recordings.keep(asked(user("again")), answer("first"), 0.5)
    recordings.keep(asked(user("again")), answer("second"), 0.5)
    recordings.close()


def test_a_run_is_found_again_in_another_folder(path: Path) -> None:
    record(path)
    replayed = begun(path, "replay", ELSEWHERE)
    found = replayed.found(asked(user("in /srv/other on 2027-01-01")))
    assert not isinstance(found, Response)
    call = found["choices"][0]["message"]["tool_calls"][0]
    assert json.loads(call["function"]["arguments"]) == {"p": "/srv/other/a.txt"}
    texts = [replayed.found(asked(user("again"))) for _ in range(2)]
    assert [text["choices"][0]["message"]["content"] for text in texts if isinstance(text, dict)] == ["first", "second"]
    assert (replayed.report.calls, replayed.report.left, replayed.report.missed) == (3, 0, 0)
    assert (replayed.report.tokens, replayed.report.seconds) == (45, 2.2)


def test_two_replays_are_byte_for_byte_the_same(path: Path) -> None:
    record(path)
    requests = [user("in /srv/other on 2027-01-01"), user("again"), user("again")]
    runs = [json.dumps([begun(path, "replay", ELSEWHERE).found(asked(message)) for message in requests[:2]])] * 2
    for _ in range(2):
        replayed = begun(path, "replay", ELSEWHERE)
        runs.append(json.dumps([replayed.found(asked(message)) for message in requests]))
    assert runs[2] == runs[3]


def test_a_miss_is_final_and_says_what_differs(path: Path) -> None:
    record(path)
    replayed = begun(path, "replay")
    refused = replayed.found(asked(user("in /tmp/rec/work on 2026-11-29"), assistant("x")))
    assert isinstance(refused, Response)
    assert refused.status == 400
    assert refused.headers["x-should-retry"] == "false"
    error = json.loads(refused.body)["error"]
    assert error["code"] == "not_recorded"
    assert "agent.jsonl" in error["message"]
    assert "message 2 (role assistant) is new" in error["message"]
    assert replayed.report.missed == 1
    assert replayed.report.misses == [error["message"].partition("replayed. ")[2]]


def test_a_key_is_not_in_the_file(path: Path) -> None:
    odd = "0123456789 odd key"
    recordings = begun(path, "record", FOLDERS, odd)
    recordings.keep(
        asked(user(f"cat .env: KEY={KEY} {odd}"), tools=[{"name": KEY}], stop=[odd]), answer(f"It is {KEY}.")
    )
    recordings.close()
    assert KEY not in path.read_text()
    assert odd not in path.read_text()
    other = "sk-2zyxwvutsrqponmlkjihgfedcba"
    replayed = begun(path, "replay", ELSEWHERE, "another odd key")
    found = replayed.found(
        asked(user(f"cat .env: KEY={other} another odd key"), tools=[{"name": other}], stop=["another odd key"])
    )
    assert not isinstance(found, Response)
    assert found["choices"][0]["message"]["content"] == "It is [API key hidden].", "which one is meant isn't sure"


def test_it_is_reported_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = path.with_name("report.json")
    monkeypatch.setenv(REPORT, str(report))
    record(path)
    assert json.loads(report.read_text())["calls"] == 3
    replayed = begun(path, "replay")
    assert json.loads(report.read_text())["left"] == 3
    replayed.found(asked(user("again")))
    assert json.loads(report.read_text())["left"] == 2
    replayed.found(asked(user("other")))
    assert json.loads(report.read_text())["missed"] == 1


def test_a_changed_option_takes_another_file_and_the_same_goes_on(path: Path) -> None:
    record(path)
    recordings = begun(path, "replay")
    recordings.found(asked(user("again")))
    recordings.use(recordings.opened("replay", path), "", lambda: ())
    found = recordings.found(asked(user("again")))
    assert not isinstance(found, Response)
    assert found["choices"][0]["message"]["content"] == "second", "what has answered stays used"
    recordings.use(recordings.opened("off", path), "", lambda: ())
    assert not recordings.is_replaying
    assert isinstance(recordings.found(asked(user("again"))), Response)
    recordings.keep(asked(user("again")), answer("third"))
    assert len(file.read(path).calls) == 3


def test_a_changed_option_goes_on_with_the_same_recording(path: Path) -> None:
    recordings = begun(path, "record")
    recordings.keep(asked(user("a")), answer("a"))
    recordings.use(recordings.opened("record", path), "", lambda: ())
    recordings.keep(asked(user("b")), answer("b"))
    recordings.close()
    assert [call.answer["choices"][0]["message"]["content"] for call in file.read(path).calls] == ["a", "b"]


def test_ten_thousand_answers_are_the_same_bytes(path: Path) -> None:
    recordings = begun(path, "record")
    questions = [asked(user(f"question {number % 5000}")) for number in range(10_000)]
    for number, question in enumerate(questions):
        recordings.keep(question, answer(f"answer {number}", id=f"chatcmpl-{number}"))
    recordings.close()
    runs = []
    for folders in (FOLDERS, ELSEWHERE):
        replayed = begun(path, "replay", folders)
        runs.append([json_body.serialise(replayed.found(question)) for question in questions])
        assert (replayed.report.missed, replayed.report.left) == (0, 0)
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 10_000


def test_what_is_opened_and_not_used_is_free_again(path: Path) -> None:
    recordings = Recordings(FOLDERS)
    recordings.drop(recordings.opened("record", path))
    begun(path, "record").close()


def test_a_file_that_cannot_be_used(path: Path) -> None:
    with pytest.raises(OptionError, match=r"hunyuan_recording=.*agent\.jsonl: No such file"):
        begun(path, "replay")
    path.write_text("hello\n")
    for what in ("replay", "record"):
        with pytest.raises(OptionError, match=r"line 1: this is no recording"):
            begun(path, what)
    assert path.read_text() == "hello\n"
    with pytest.raises(OptionError, match="Not a directory"):
        begun(path / "x", "record")


def test_a_full_disk_ends_the_recording(path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    recordings = begun(path, "record")
    recordings.keep(asked(user("a")), answer("a"))
    monkeypatch.setattr("hunyuan_fix.recording.writing.os.write", lambda _descriptor, _data: 0)
    recordings.keep(asked(user("secret words")), answer("b"))
    monkeypatch.undo()
    recordings.keep(asked(user("c")), answer("c"))
    recordings.close()
    assert "could not be written" in caplog.text
    assert "secret words" not in caplog.text
    assert len(file.read(path).calls) == 1


@pytest.mark.parametrize(
    ("what", "given", "words"),
    [
        ("record", {}, "hunyuan_recording=FILE"),
        ("replay", {}, "hunyuan_recording=FILE"),
        ("replay", {"recording": Path("/x"), "mode": "observe"}, "hunyuan_mode=repair"),
        ("record", {"recording": Path("/x"), "mode": "off"}, "hunyuan_mode=repair"),
        ("record", {"recording": Path("/x"), "is_shared": True}, "--workers"),
        ("replay", {"recording": Path("/x"), "open_to": ["0.0.0.0"]}, "0.0.0.0"),
        ("record", {"recording": Path("/x"), "open_to": ["0.0.0.0"]}, ""),
        ("record", {"recording": Path("/x")}, ""),
        ("replay", {"recording": Path("/x")}, ""),
        ("use", {"mode": "off"}, ""),
        ("off", {}, ""),
    ],
)
def test_options_that_do_not_go_together(what: str, given: dict[str, Any], words: str) -> None:
    def check() -> None:
        settings.check(
            what,
            RecordingSettings(given.get("recording")),
            given.get("mode", "repair"),
            given.get("open_to", []),
            is_shared=given.get("is_shared", False),
        )

    if words:
        with pytest.raises(OptionError, match=f"hunyuan_answer_cache={what}: .*{words}"):
            check()
    else:
        check()
