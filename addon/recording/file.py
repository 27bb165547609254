"""The file: JSON Lines, a line for each message, system prompt, list of tools and answer, whoever repeats it.

    {"hunyuan-fix recording": 1, "agent": "codex"}
    {"endpoint": "https://…/v1"}
    {"system": "3f9a…", "is": "You are …"}              what is named here …
    {"message": "77ab…", "is": {"role": "user", …}}
    {"answer": "c04d…", "is": {…}}
    {"call": "c04d…", "form": "chat", "with": {"model": …}, "system": "3f9a…", "messages": ["77ab…"], "answer": "c04d…"}
    {"call": "9e12…", …, "messages": [{"of": "c04d…", "from": 1, "to": 1}, "5b60…"], …}     … is meant there
    {"ended": {"calls": 2, "seconds": 11.4}}

Names come from what a line says whatever the day (`alike`), so that two recordings of one agent have the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

from ..exchange import JsonObject
from ..texts.sentence import Sentence
from ..wire import json_body
from .parts import Part, Parts, part_of

VERSION: Final = 1
HEAD: Final = "hunyuan-fix recording"
CALL, ANSWER, ENDPOINT, ENDED = "call", "answer", "endpoint", "ended"
KINDS: Final = ("system", "tools", "message")
IS, WITH, FORM, MESSAGES = "is", "with", "form", "messages"
OF, FROM, TO = "of", "from", "to"

MOST_BYTES: Final = 512 << 20
LONGEST_LINE: Final = 80 << 20
"""Bytes. A request's body is smaller (`hunyuan_max_body`)."""
MOST_CALLS: Final = 50_000
MOST_MENTIONS: Final = 5_000_000
"""Messages of all calls together, each as often as it is repeated: a line may stand for as many as those before it."""


class RecordingError(ValueError):
    """A file that is no recording, or can't be read.

    `line`: where, from 1 on; 0: no line of it. `said`: what is wrong, and where.
    """

    def __init__(self, why: Sentence, line: int = 0) -> None:
        self.line = line
        self.said = Sentence("line {line}: {why}", line=line, why=why) if line else why
        super().__init__(self.said)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was answered."""

    name: str
    parts: Parts
    answer: JsonObject


@dataclass(slots=True)
class Recording:
    """What a file holds."""

    head: JsonObject = field(default_factory=dict)
    endpoint: str = ""
    """The base URL that calls went to; `""`: clients chose."""
    calls: list[Call] = field(default_factory=list)
    seconds: float = 0.0
    """How long its answers took, as far as its recordings came to an end."""
    is_ended: bool = False
    """Whether the last of them did."""
    names: set[tuple[str, str]] = field(default_factory=set)
    """Kind and name of all that is named."""
    parts: dict[tuple[str, str], Part] = field(default_factory=dict)
    """By kind and name."""


def read(path: Path) -> Recording:
    """What `path` holds. Raises `RecordingError`, `OSError`."""
    with path.open("rb") as file:
        return read_from(file)


def read_from(file: BinaryIO) -> Recording:
    """What an open file holds, from where it stands. Raises `RecordingError`, `OSError`."""
    reading = _Reading()
    number = 0
    for number, line in enumerate(_lines(file), 1):
        value = json_body.parse_object(line)
        if number == 1:
            reading.head(value)
            continue
        if value is None:
            raise RecordingError(Sentence("it is no JSON object"), number)
        try:
            reading.line(value)
        except _WrongError as wrong:
            raise RecordingError(wrong.why, number) from None
        except (KeyError, TypeError, AttributeError, ValueError):
            raise RecordingError(Sentence("it doesn't have the fields that such a line has"), number) from None
    if not number:
        raise RecordingError(Sentence("the file is empty"))
    return reading.recording


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Its lines, each with its end. Raises `RecordingError` for a line that has none, or is too long."""
    read = number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        read += len(line)
        if not line.endswith(b"\n"):
            if len(line) >= LONGEST_LINE:
                raise RecordingError(Sentence("it is longer than {most} bytes", most=LONGEST_LINE), number)
            if number == 1:
                raise RecordingError(_FOREIGN, number)
            raise RecordingError(Sentence("it is cut off. Without it, the lines before it can be replayed"), number)
        if read > MOST_BYTES:
            raise RecordingError(Sentence("the file is larger than {most} bytes", most=MOST_BYTES), number)
        yield line


_FOREIGN: Final = Sentence("this is no recording of hunyuan-fix")


class _WrongError(Exception):
    def __init__(self, why: Sentence) -> None:
        super().__init__(why)
        self.why = why


class _Reading:
    """What has been read so far."""

    def __init__(self) -> None:
        self.recording = Recording()
        self._answers: dict[str, JsonObject] = {}
        self._calls: dict[str, Call] = {}
        self._mentions = 0

    def head(self, value: JsonObject | None) -> None:
        """The first line. Raises `RecordingError`."""
        version = value.get(HEAD) if value is not None else None
        if value is None or type(version) is not int:
            raise RecordingError(_FOREIGN, 1)
        if version > VERSION:
            why = Sentence(
                "a newer hunyuan-fix has written this recording (version {version}; this one reads {known})",
                version=version,
                known=VERSION,
            )
            raise RecordingError(why, 1)
        self.recording.head = value

    def line(self, value: JsonObject) -> None:
        """Any other line; unknown ones are left to later versions. Raises `_WrongError`, and what misses a field."""
        recording = self.recording
        kind = next(iter(value), "")
        if kind in KINDS:
            self._named(kind, value[kind])
            self.recording.parts[kind, value[kind]] = part_of(kind, value[IS])
        elif kind == ANSWER:
            self._named(kind, value[kind])
            if not isinstance(value[IS], dict):
                raise TypeError
            self._answers[value[kind]] = value[IS]
        elif kind == CALL:
            self._named(kind, value[kind])
            if len(recording.calls) >= MOST_CALLS:
                raise _WrongError(Sentence("the file has more than {most} calls", most=MOST_CALLS))
            call = self._call(value)
            self._calls[call.name] = call
            recording.calls.append(call)
            recording.is_ended = False
        elif kind == ENDPOINT:
            recording.endpoint = str(value[kind])
        elif kind == ENDED:
            recording.seconds += float(value[kind]["seconds"])
            recording.is_ended = True

    def _named(self, kind: str, name: Any) -> None:
        if not isinstance(name, str):
            raise TypeError
        if (kind, name) in self.recording.names:
            raise _WrongError(Sentence("a line before it has the same name"))
        self.recording.names.add((kind, name))

    def _call(self, value: JsonObject) -> Call:
        if not isinstance(value[WITH], dict) or not isinstance(value[FORM], str):
            raise TypeError
        answer = self._answers.get(value[ANSWER])
        if answer is None:
            raise _unknown(ANSWER)
        given = [self._meant(kind, value[kind]) if value.get(kind) else None for kind in ("system", "tools")]
        messages: list[Part] = []
        for mention in value[MESSAGES]:
            messages += self._mentioned(mention)
        return Call(value[CALL], Parts(value[FORM], value[WITH], given[0], given[1], tuple(messages)), answer)

    def _mentioned(self, mention: Any) -> Sequence[Part]:
        if isinstance(mention, str):
            found: Sequence[Part] = (self._meant("message", mention),)
        else:
            call = self._calls.get(mention[OF])
            if call is None:
                raise _unknown(CALL)
            first, last = mention[FROM], mention[TO]
            if not (type(first) is type(last) is int and 1 <= first <= last <= len(call.parts.messages)):
                raise _unknown("message")
            found = call.parts.messages[first - 1 : last]
        self._mentions += len(found)
        if self._mentions > MOST_MENTIONS:
            raise _WrongError(Sentence("the file's calls have more than {most} messages", most=MOST_MENTIONS))
        return found

    def _meant(self, kind: str, name: Any) -> Part:
        part = self.recording.parts.get((kind, name))
        if part is None:
            raise _unknown(kind)
        return part


def _unknown(kind: str) -> _WrongError:
    return _WrongError(Sentence("no line before it has the {kind} that it names", kind=kind))
