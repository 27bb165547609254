"""Takes tool calls and reasoning out of the text of an answer, where the model's server left them in it.

    content ───────────▶ text, reasoning (from <think>), calls
    reasoning_content ─▶ reasoning, calls

The forms: docs/facts/kimi.md#leaked-text. The text comes in pieces that are split anywhere. Held back is an end that
may begin a mark, and a block of calls until it is complete. The work is linear: no character is looked at more than a
few times.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache

from ..exchange import AnswerPlan, Change, JsonObject
from ..wire import rule_names
from .leak_forms import Form, Found, LeakedCall, Offered, forms
from .tool_frames import Note

MAX_HELD = 1 << 18
"""Characters of a block. A longer one is text."""
_TELLING = 512
"""The first characters of a block in which the name of a tool stands. Without it the block is text."""

_THINK, _THOUGHT = "<think>", "</think>"
_REASONING_FIELDS = ("reasoning_content", "reasoning")
_TEXTS = (*_REASONING_FIELDS, "content")
_WHY_CALLS = "a tool call that stood in the text is a tool call"
_WHY_THINKING = "the text in `<think>` at the beginning is reasoning"


@dataclass(slots=True)
class Said:
    """What a piece of text says, once marks are out of it."""

    text: str = ""
    reasoning: str = ""
    calls: list[LeakedCall] = field(default_factory=list)


class LeakText:
    """One text of a choice, in pieces. `splits_thinking`: `<think>` at its beginning opens reasoning."""

    def __init__(self, forms: Iterable[Form], offered: Offered, *, splits_thinking: bool) -> None:
        self._offered = offered
        self._forms: dict[str, list[Form]] = {}
        """What begins a block -> the forms that may read it."""
        self._ends: dict[str, str] = {}
        self._in_thinking: set[str] = set()
        """The beginnings that are looked for in reasoning."""
        for form in forms:
            for begin, end in form.blocks.items():
                self._forms.setdefault(begin, []).append(form)
                self._ends[begin] = end
                if form.in_reasoning:
                    self._in_thinking.add(begin)
        self.begun = not splits_thinking
        """Whether `<think>` would be text from here on."""
        self._thinking = False
        self._after_thinking = False
        """White space after `</think>` is left out."""
        self._rest = ""
        """The last characters, which may begin a mark."""
        self._block = ""
        """What began the block; `""` outside of blocks."""
        self._parts: list[str] | None = []
        """The pieces of the block; `None` once it is known to be text."""
        self._size = 0
        self._looked = False
        """Whether it is known that the block begins with a call of a tool that is offered."""

    @property
    def is_busy(self) -> bool:
        """Whether what comes next means another thing than text."""
        return bool(self._rest or self._block) or self._thinking or self._after_thinking

    def held(self) -> Callable[[], tuple[str, bool]]:
        """A function that gives what is held back now, whatever comes later, and whether it is reasoning."""
        rest, parts, thinking = self._rest, self._parts, self._thinking
        begin, number = "" if parts is None else self._block, len(parts or ())
        return lambda: (begin + "".join((parts or [])[:number]) + rest, thinking)

    def feed(self, text: str) -> Said:
        """Add a piece. What it says, as far as that is sure."""
        said = Said()
        text, self._rest = self._rest + text, ""
        place = 0
        while place < len(text):
            place = self._in_block(text, place, said) if self._block else self._in_text(text, place, said)
        return said

    def end(self, *, cut: bool) -> Said:
        """End the text. A block without an end has calls all the same if they are whole, unless it was `cut` off."""
        said = Said()
        if self._block:
            self._hold(self._rest, said)
            self._close("", said, may_be_calls=not cut)
        else:
            self._say(self._rest, said)
        self._rest = ""
        return said

    def _in_text(self, text: str, place: int, said: Said) -> int:
        """Take what stands before the next mark, and the mark; where to go on."""
        marks = self._marks()
        found = _any_of(marks).search(text, place) if marks else None
        if found is None:
            may_begin = _beginning_of(marks, text, place)
            self._say(text[place:may_begin], said)
            self._rest = text[may_begin:]
            return len(text)
        self._say(text[place : found.start()], said)
        mark = found.group()
        if mark == _THINK and self.begun:
            self._say(mark, said)  # since text stands before it
        elif mark == _THINK:
            self.begun = self._thinking = True
        elif mark == _THOUGHT:
            self._thinking, self._after_thinking = False, True
        else:
            self._block, self._parts, self._size, self._looked = mark, [], 0, False
        return found.end()

    def _marks(self) -> tuple[str, ...]:
        """What may stand here that is no text."""
        if self._thinking:
            return (*sorted(self._in_thinking), _THOUGHT)
        return (*self._forms,) if self.begun else (*self._forms, _THINK)

    def _in_block(self, text: str, place: int, said: Said) -> int:
        """Take what stands before the end of the block, and the end; where to go on."""
        end = self._ends[self._block]
        found = text.find(end, place)
        if found >= 0:
            self._hold(text[place:found], said)
            self._close(end, said, may_be_calls=True)
            return found + len(end)
        may_begin = max(place, len(text) - len(end) + 1)
        self._hold(text[place:may_begin], said)
        self._rest = text[may_begin:]
        return len(text)

    def _hold(self, text: str, said: Said) -> None:
        """Hold a piece of the block, or say it, where the block is known to be text."""
        if self._parts is None:
            self._say(text, said)
            return
        self._parts.append(text)
        self._size += len(text)
        if self._size > _TELLING and not self._looked:
            inside = "".join(self._parts)[:_TELLING]
            self._looked = any(name in inside for name in self._offered.names)
        if (self._size > _TELLING and not self._looked) or self._size > MAX_HELD:
            self._say(self._block + "".join(self._parts), said)
            self._parts = None

    def _close(self, end: str, said: Said, *, may_be_calls: bool) -> None:
        """The block is over: it has calls, and perhaps texts between them, or it is text as a whole."""
        begin, parts, self._block, self._parts = self._block, self._parts, "", []
        if parts is None:
            self._say(end, said)
            return
        inside = "".join(parts)
        found: list[Found] = []
        for form in self._forms[begin] if may_be_calls else ():
            found = found or form.found_in(begin, inside, self._offered)
        for piece in found or [begin + inside + end]:
            if isinstance(piece, LeakedCall):
                said.calls.append(piece)
            else:
                self._say(piece, said)

    def _say(self, text: str, said: Said) -> None:
        if self._thinking:
            said.reasoning += text
            return
        if self._after_thinking:
            text = text.lstrip()
            self._after_thinking = not text
        if text and not text.isspace():
            self.begun = True
        said.text += text


@cache
def _any_of(marks: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, marks)))


def _beginning_of(marks: tuple[str, ...], text: str, place: int) -> int:
    """Where the end of `text` may begin one of `marks`, from `place` on; the length of `text` if it can't."""
    mark = text.find("<", max(place, len(text) - max(map(len, marks), default=0)))
    while mark >= 0:
        tail = text[mark:]
        if any(given.startswith(tail) for given in marks):
            return mark
        mark = text.find("<", mark + 1)
    return len(text)


class ChoiceLeaks:
    """The texts of one choice, in whole messages or in deltas. `begun`: the choice has text already."""

    def __init__(self, plan: AnswerPlan, *, begun: bool = False) -> None:
        known, offered = forms(plan), Offered.of(plan)
        self._content = LeakText(known, offered, splits_thinking=plan.splits_thinking and not begun)
        self._reasoning = LeakText([form for form in known if form.in_reasoning], offered, splits_thinking=False)
        self._reasoning_field = _REASONING_FIELDS[0]
        self._number = 0

    @property
    def is_busy(self) -> bool:
        """Whether the next delta has to be read, whatever it has."""
        return self._content.is_busy or self._reasoning.is_busy

    @property
    def begun(self) -> bool:
        """Whether `<think>` would be text from here on."""
        return self._content.begun

    def reasoning_came(self) -> None:
        """The endpoint sends reasoning by itself: `<think>` is text."""
        self._content.begun = True

    def held(self) -> Callable[[], list[JsonObject]]:
        """A function that gives what is held back now as deltas, whatever comes later."""
        content, reasoning, name = self._content.held(), self._reasoning.held(), self._reasoning_field

        def deltas() -> list[JsonObject]:
            text, thinking = content()
            given = [(name, reasoning()[0]), (_REASONING_FIELDS[0] if thinking else "content", text)]
            return [{key: value} for key, value in given if value]

        return deltas

    def repair(self, message: JsonObject, at: str, note: Note) -> bool:
        """Take calls and reasoning out of the texts of a delta or a message, in place; whether it was changed."""
        changed = False
        for name in _REASONING_FIELDS:
            given = message.get(name)
            if isinstance(given, str) and given:
                if not given.isspace() and not self._content.is_busy:
                    self.reasoning_came()
                self._reasoning_field = name
                changed = self._put(message, self._reasoning.feed(given), name, at, note) or changed
        given = message.get("content")
        if isinstance(given, str) and given:
            changed = self._put(message, self._content.feed(given), "content", at, note) or changed
        return changed

    def end(self, message: JsonObject, at: str, note: Note, *, cut: bool) -> bool:
        """Add what is held back to the last delta of a choice, or to its whole message; whether anything was."""
        name = self._reasoning_field
        changed = self._add(message, self._reasoning.end(cut=cut), name, at, note)
        return self._add(message, self._content.end(cut=cut), "content", at, note) or changed

    def _put(self, message: JsonObject, said: Said, name: str, at: str, note: Note) -> bool:
        """Put what a field says in the place of its text."""
        if said.text == message[name] and not said.reasoning and not said.calls:
            return False
        del message[name]
        self._add(message, said, name, at, note)
        return True

    def _add(self, message: JsonObject, said: Said, name: str, at: str, note: Note) -> bool:
        """Add what a field says to a message."""
        if said.reasoning:
            _append(message, _REASONING_FIELDS[0], said.reasoning)
            note(Change(rule_names.LEAKS, f"{at}/content", _WHY_THINKING))
        if said.text:
            _append(message, name, said.text)
        if said.calls:
            calls = message.get("tool_calls")
            message["tool_calls"] = [*(calls if isinstance(calls, list) else ()), *map(self._frame, said.calls)]
            note(Change(rule_names.LEAKS, f"{at}/{name}", _WHY_CALLS))
        return bool(said.reasoning or said.text or said.calls)

    def _frame(self, call: LeakedCall) -> JsonObject:
        """A call as an endpoint sends it, under an index that no other has. `tool_frames` numbers it."""
        self._number += 1
        identity = {"id": call.id} if call.id else {}
        function = {"name": call.name, "arguments": call.arguments}
        return {"index": f"leaked {self._number}", **identity, "type": "function", "function": function}


def repair_message(message: JsonObject, plan: AnswerPlan, at: str, note: Note, *, cut: bool) -> bool:
    """Take calls and reasoning out of the texts of a whole message, in place; whether it was changed."""
    if not watches(plan) or not any("<" in text for name in _TEXTS if isinstance(text := message.get(name), str)):
        return False  # every mark has one
    leaks = ChoiceLeaks(plan)
    has_calls = bool(message.get("tool_calls"))
    changed = leaks.repair(message, at, note)
    changed = leaks.end(message, at, note, cut=cut) or changed
    if changed:
        message.setdefault("content", None if message.get("tool_calls") else "")
    for call in message.get("tool_calls") or () if changed and not has_calls else ():
        del call["index"]  # whole answers have none
    return changed


def watches(plan: AnswerPlan) -> bool:
    """Whether the answer may have anything in its text that doesn't belong there."""
    return plan.splits_thinking or bool(plan.leaks)


def beginnings(plan: AnswerPlan) -> re.Pattern[bytes]:
    """What the JSON of a text has where a mark may begin: its first two characters, or the first at the text's end.

    A backslash may begin the second one.
    """
    marks = [_THINK] * plan.splits_thinking + [begin for form in forms(plan) for begin in form.blocks]
    seconds = sorted({mark[1].encode() for mark in marks})
    return re.compile(rb"<(?:%b)" % b"|".join(map(re.escape, [*seconds, b'"', b"\\"])))


_REASONED = re.compile(rb'"reasoning(?:_content)?"[ \t]*:[ \t]*"(?:[^"\\ ]|\\[^nrt])')
"""Reasoning that isn't blank."""


def brings_reasoning(raw: bytes) -> bool:
    """Whether events that were not read have reasoning of the endpoint's own."""
    return _REASONED.search(raw) is not None


def _append(message: JsonObject, name: str, text: str) -> None:
    given = message.get(name)
    message[name] = given + text if isinstance(given, str) else text
