"""A recording is written, read again, gone on with; and what is none is refused with its line."""

from __future__ import annotations

import io
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.recording import file
from hunyuan_fix.recording.file import RecordingError
from hunyuan_fix.recording.writing import Writer
from tests.looped import each
from tests.recording.calls import answer, assistant, conversation, parts_of, user

HEAD = b'{"hunyuan-fix recording":1}\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agent.jsonl"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def kinds(path: Path) -> list[str]:
    return [next(iter(line)) for line in lines(path)]


MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "tool"]), "content": st.text(max_size=8)}),
    max_size=12,
)
BODIES = st.lists(
    st.fixed_dictionaries(
        {"model": st.sampled_from(["a", "b"])},
        optional={
            "messages": MESSAGES,
            "input": MESSAGES | st.text(min_size=1, max_size=5),
            "system": st.text(min_size=1, max_size=5),
            "tools": st.lists(st.fixed_dictionaries({"name": st.text(max_size=3)}), min_size=1, max_size=2),
            "temperature": st.floats(0, 1),
        },
    ),
    max_size=8,
)


@given(BODIES)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, bodies: list[dict[str, Any]]) -> None:
    path = tmp_path_factory.mktemp("written") / "x.jsonl"
    writer = Writer(path, {})
    calls = [(parts_of(body), answer(str(number))) for number, body in enumerate(bodies)]
    for parts, said in calls:
        writer.add(parts, said)
    writer.end(1.0)
    read = file.read(path)
    assert [(call.parts, call.answer) for call in read.calls] == calls
    assert [call.parts.exact() for call in read.calls] == [parts.exact() for parts, _ in calls]
    assert len({call.name for call in read.calls}) == len(calls)


def test_each_message_is_written_once(path: Path) -> None:
    def size(turns: int) -> int:
        writer = Writer(path.with_suffix(f".{turns}"), {})
        for number, messages in enumerate(conversation(turns)):
            writer.add(parts_of({"model": "hy3", "messages": messages}), answer(str(number)))
        writer.end(0)
        return path.with_suffix(f".{turns}").stat().st_size

    assert size(120) < 2.2 * size(60)
    written = kinds(path.with_suffix(".60"))
    assert written.count("message") == 2 * 60
    assert written.count("call") == written.count("answer") == 60


def test_a_changing_system_prompt_does_not_make_it_quadratic(path: Path) -> None:
    def size(turns: int) -> int:
        name = path.with_suffix(f".{turns}")
        writer = Writer(name, {})
        for number, messages in enumerate(conversation(turns)):
            changed = [{"role": "system", "content": f"It is turn number {number}."}, *messages[1:]]
            writer.add(parts_of({"model": "hy3", "messages": changed}), answer(str(number)))
        writer.end(0)
        return name.stat().st_size

    assert size(120) < 2.2 * size(60)


def test_it_is_the_users_alone_and_says_that_it_ended(path: Path) -> None:
    writer = Writer(path, {"agent": "codex"})
    writer.endpoint("https://tokenhub.tencentmaas.com/v1")
    writer.add(parts_of({"model": "hy3", "messages": [user("hi")]}), answer("a"))
    unfinished = file.read(path)
    writer.end(2.34)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert kinds(path) == ["hunyuan-fix recording", "endpoint", "message", "answer", "call", "ended"]
    read = file.read(path)
    assert (unfinished.is_ended, read.is_ended) == (False, True)
    assert (read.head["agent"], read.endpoint, read.seconds) == ("codex", "https://tokenhub.tencentmaas.com/v1", 2.3)


def test_two_recordings_of_one_agent_on_two_days_differ_where_it_does(path: Path) -> None:
    def recorded(day: str, result: str) -> list[str]:
        name = path.with_suffix(f".{day}")
        writer = Writer(name, {})
        said = [user(f"Today is {day}. Go."), assistant("ls"), user(result)]
        for length in (1, 3):
            writer.add(parts_of({"model": "hy3", "messages": said[:length]}), answer(str(length)))
        writer.end(0)
        return name.read_text("utf-8").splitlines()

    same, other = recorded("2026-11-29", "a.txt"), recorded("2026-12-24", "a.txt")
    assert [one[:30] for one, two in zip(same, other, strict=True) if one != two] == [same[1][:30]], "the day alone"
    changed = recorded("2027-01-01", "b.txt")
    assert len(changed) == len(same)
    assert sum(one != two for one, two in zip(same, changed, strict=True)) == 4  # day, result, its call and answer


def test_it_is_gone_on_with(path: Path) -> None:
    first, second = conversation(2)
    for number, messages in enumerate((first, second, second)):
        writer = Writer(path, {})
        writer.endpoint("https://a.example/v1")
        writer.add(parts_of({"model": "hy3", "messages": messages}), answer(str(number)))
        writer.end(1.0)
    read = file.read(path)
    assert [call.answer["choices"][0]["message"]["content"] for call in read.calls] == ["0", "1", "2"]
    assert read.seconds == 3.0
    assert kinds(path).count("message") == len(second)
    assert kinds(path).count("endpoint") == kinds(path).count("hunyuan-fix recording") == 1


def test_one_process_records_in_a_file(path: Path) -> None:
    writer = Writer(path, {})
    with pytest.raises(RecordingError, match="another process"):
        Writer(path, {})
    writer.end(0)
    Writer(path, {}).end(0)


def test_a_full_disk_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(path, {})
    writer.add(parts_of({"messages": [user("a")]}), answer("a"))
    before, write = path.read_bytes(), os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[: len(data) // 2]))
    with pytest.raises(OSError, match="space"):
        writer.add(parts_of({"messages": [user("b")]}), answer("b"))
    monkeypatch.undo()
    assert path.read_bytes() == before


def complaint(text: bytes) -> tuple[str, int]:
    with pytest.raises(RecordingError) as raised:
        file.read_from(io.BytesIO(text))
    return str(raised.value), raised.value.line


MESSAGE = b'{"message":"m1","is":{"role":"user","content":"a"}}\n'
ANSWERED = b'{"answer":"a1","is":{}}\n'
CALL = b'{"call":"c1","form":"chat","with":{},"messages":["m1"],"answer":"a1"}\n'


def test_a_small_one_is_read() -> None:
    read = file.read_from(io.BytesIO(HEAD + b'{"later": 1}\n' + MESSAGE + ANSWERED + CALL))
    assert len(read.calls) == 1


SECOND = CALL.replace(b'"c1"', b'"c2"').replace(b'"m1"', b"%b")


@each(
    ("text", "line", "words"),
    [
        (b"", 0, "empty"),
        (b"hello\n", 1, "no recording"),
        (b"hello", 1, "no recording"),
        (b"\x00\xff\xfe\n", 1, "no recording"),
        (b'{"log": {"version": "1.2"}}\n', 1, "no recording"),
        (b'{"hunyuan-fix recording":"1"}\n', 1, "no recording"),
        (b'{"hunyuan-fix recording":true}\n', 1, "no recording"),
        (b'{"hunyuan-fix recording":2}\n', 1, "newer hunyuan-fix"),
        (HEAD + b"nonsense\n", 2, "JSON"),
        (HEAD + b"[1]\n", 2, "JSON"),
        (HEAD + MESSAGE + CALL[:-20], 3, "cut off"),
        (HEAD + MESSAGE + CALL[:-1], 3, "cut off"),
        (HEAD + MESSAGE + MESSAGE, 3, "same name"),
        (HEAD + MESSAGE + CALL, 3, "answer"),
        (HEAD + ANSWERED + CALL, 3, "message"),
        (HEAD + b'{"message":"m1"}\n', 2, "fields"),
        (HEAD + b'{"message":1,"is":1}\n', 2, "fields"),
        (HEAD + b'{"answer":"a1","is":[]}\n', 2, "fields"),
        (HEAD + MESSAGE + ANSWERED + CALL.replace(b'["m1"]', b"null"), 4, "fields"),
        (HEAD + MESSAGE + ANSWERED + CALL.replace(b'["m1"]', b'[{"of":"c1","from":1,"to":1}]'), 4, "call"),
        (HEAD + MESSAGE + ANSWERED + CALL + SECOND % b'{"of":"c1","from":1,"to":2}', 5, "message"),
        (HEAD + MESSAGE + ANSWERED + CALL + SECOND % b'{"of":"c1","from":0,"to":1}', 5, "message"),
        (HEAD + MESSAGE + ANSWERED + CALL + SECOND % b'{"of":"c1","from":true,"to":1}', 5, "message"),
        (HEAD + b'{"ended":{"calls":1,"seconds":"x"}}\n', 2, "fields"),
    ],
)
def test_what_is_no_recording_is_refused(text: bytes, line: int, words: str) -> None:
    said, where = complaint(text)
    assert where == line
    assert words in said
    assert said.startswith(f"line {line}: ") or not line


def test_a_line_that_stands_for_ever_more_messages_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call has all messages of the one before it twice: forty lines would stand for 10**12."""
    monkeypatch.setattr(file, "MOST_MENTIONS", 10_000)
    text = HEAD + MESSAGE + ANSWERED + CALL
    for number in range(1, 40):
        twice = json.dumps([{"of": f"c{number}", "from": 1, "to": 2 ** (number - 1)}] * 2).encode()
        text += CALL.replace(b'"c1"', f'"c{number + 1}"'.encode()).replace(b'["m1"]', twice)
    said, line = complaint(text)
    assert "more than 10000 messages" in said
    assert line < 20


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "LONGEST_LINE", 60)
    assert complaint(HEAD + MESSAGE + b"x" * 100 + b"\n") == ("line 3: it is longer than 60 bytes", 3)
    monkeypatch.setattr(file, "MOST_BYTES", 100)
    assert complaint(HEAD + MESSAGE + ANSWERED + MESSAGE)[1] == 3
    monkeypatch.undo()
    monkeypatch.setattr(file, "MOST_CALLS", 1)
    assert complaint(HEAD + MESSAGE + ANSWERED + CALL + CALL.replace(b'"c1"', b'"c2"'))[1] == 5


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda data: HEAD + data))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        file.read_from(io.BytesIO(data))
    except RecordingError as error:
        assert str(error)
