"""Writing a recording: each call at once, so that one that is killed leaves a file that can be read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from ..config import operating_system
from ..exchange import JsonObject
from ..texts.sentence import Sentence
from ..wire import json_body
from . import file
from .file import (
    ANSWER,
    CALL,
    ENDED,
    ENDPOINT,
    FORM,
    FROM,
    HEAD,
    IS,
    MESSAGES,
    OF,
    TO,
    VERSION,
    WITH,
    Recording,
    RecordingError,
)
from .parts import Part, Parts

MODE: Final = 0o600
"""Of a new file: it holds what was said. Whoever shares it changes that."""
_LEAST: Final = 3
"""Messages that are named by another call that has them, one after the other; fewer are named each."""


class Writer:
    """A file that calls are added to, of this process alone. `before`: what it held."""

    def __init__(self, path: Path, head: JsonObject) -> None:
        """Open the file, or make it. Raises `RecordingError` for another's, or one that can't be gone on with, and
        `OSError`."""
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        self._descriptor = os.open(path, flags, MODE)
        self.calls = 0
        """That were added."""
        self._names: dict[tuple[str, bytes], str] = {}
        """Kind and exact digest of a part -> its name."""
        self._numbers: dict[tuple[str, str], int] = {}
        """Kind and stem of names -> the last number that one of them has."""
        self._places: dict[str, tuple[str, int]] = {}
        """Name of a message -> the last call that has it, and where, from 1 on."""
        self._messages: dict[str, list[str]] = {}
        """Name of a call -> those of its messages."""
        try:
            if not operating_system.lock(self._descriptor):
                raise RecordingError(Sentence("another process records there"))
            self.before = self._read()
            self._taken = set(self.before.names)
            self._mentioned = sum(len(call.parts.messages) for call in self.before.calls)
            if not self.before.head:
                self._write([{HEAD: VERSION, **head}])
        except BaseException:
            os.close(self._descriptor)
            raise

    def _read(self) -> Recording:
        """What the file holds so far, by the descriptor that has the lock: Windows lets no other one read then."""
        if not os.fstat(self._descriptor).st_size:
            return Recording()
        with open(self._descriptor, "rb", closefd=False) as opened:
            found = file.read_from(opened)
        for (kind, name), part in found.parts.items():
            self._names[kind, part.exact] = name
        return found

    def endpoint(self, url: str) -> None:
        """Note the base URL that calls go to from now on."""
        if url and url != self.before.endpoint:
            self._write([{ENDPOINT: url}])

    def add(self, parts: Parts, answer: JsonObject) -> None:
        """Add a call. Raises `OSError`, and `RecordingError` where the file would be larger than one that is read; then
        it is left as it was, and nothing can be added."""
        self._mentioned += len(parts.messages)
        if self._mentioned > file.MOST_MENTIONS or len(self.before.calls) + self.calls >= file.MOST_CALLS:
            raise RecordingError(Sentence("it is as large as a recording may be"))
        lines: list[JsonObject] = []
        call: JsonObject = {CALL: self._new_name(CALL, parts.name), FORM: parts.form, WITH: parts.fields}
        for part in (parts.system, parts.tools):
            if part is not None:
                call[part.kind] = self._named(part, lines)
        names = [self._named(part, lines) for part in parts.messages]
        call[MESSAGES] = self._mentions(names)
        call[ANSWER] = call[CALL]
        lines += [{ANSWER: call[CALL], IS: answer}, call]
        self._write(lines)
        self._messages[call[CALL]] = names
        for place, name in enumerate(names, 1):
            self._places[name] = (call[CALL], place)
        self.calls += 1

    def end(self, seconds: float) -> None:
        """Say that the recording came to its end, if it holds anything, and close the file."""
        try:
            if self.calls:
                self._write([{ENDED: {"calls": self.calls, "seconds": round(seconds, 1)}}])
        finally:
            self.close()

    def close(self) -> None:
        """Close the file. What was added is in it."""
        os.close(self._descriptor)

    def _named(self, part: Part, lines: list[JsonObject]) -> str:
        """The name of a part, and its line if it is new."""
        key = part.kind, part.exact
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = self._new_name(part.kind, part.name)
            lines.append({part.kind: name, IS: _readable(part.value)})
        return name

    def _new_name(self, kind: str, stem: str) -> str:
        name = stem
        while (kind, name) in self._taken:
            self._numbers[kind, stem] = number = self._numbers.get((kind, stem), 1) + 1
            name = f"{stem}-{number}"
        self._taken.add((kind, name))
        return name

    def _mentions(self, names: list[str]) -> list[Any]:
        """The messages of a call, by name, or as those of a call before it. In linear time."""
        mentions: list[Any] = []
        at = 0
        while at < len(names):
            of, first = self._places.get(names[at], ("", 0))
            theirs = self._messages.get(of, [])
            length = 0
            while (
                first
                and at + length < len(names)
                and first - 1 + length < len(theirs)
                and theirs[first - 1 + length] == names[at + length]
            ):
                length += 1
            if length >= _LEAST:
                mentions.append({OF: of, FROM: first, TO: first + length - 1})
                at += length
            else:
                mentions.append(names[at])
                at += 1
        return mentions

    def _write(self, lines: Iterable[JsonObject]) -> None:
        data = b"".join(json_body.serialise(line) + b"\n" for line in lines)
        before = os.lseek(self._descriptor, 0, os.SEEK_END)
        written = os.write(self._descriptor, data)
        if written < len(data):  # the disk is full
            os.ftruncate(self._descriptor, before)
            raise OSError(28, os.strerror(28))


_FIRST: Final = ("role", "type", "name", "id")
"""Fields by which a reader knows what the others are about."""


def _readable(value: Any) -> Any:
    """`value`, its fields in the order in which people read them."""
    if isinstance(value, list):
        return [_readable(item) for item in value]
    if isinstance(value, dict):
        names = [*(name for name in _FIRST if name in value), *(name for name in value if name not in _FIRST)]
        return {name: _readable(value[name]) for name in names}
    return value
