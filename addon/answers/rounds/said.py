"""What an answer in rounds has said so far, and whether it is to be continued. Of whole answers and of streams."""

from __future__ import annotations

from typing import Any, Final

from ...exchange import JsonObject
from . import counts, fences, thoughts

LENGTH: Final = frozenset(["length", "max_tokens", "max_output_tokens"])
"""Finish reasons of an answer that its own limit has cut, OpenAI's and others' words."""
_LONGEST: Final = 4 * 2**20
"""Characters of a text that is continued: every further round sends all of it."""
_THOUGHTS: Final = ("reasoning_content", "reasoning", "reasoning_details")
"""The fields of a message or a delta that hold reasoning."""


class Said:
    """The text of all rounds, the usage of all rounds, and how the last one ended."""

    def __init__(self, *, fences: bool = False) -> None:
        self._fences = fences
        """A text that ends within a block of code is cut."""
        self._pieces: list[str] = []
        self._length = 0
        self._thoughts: list[str] = []
        self._used: JsonObject = {}
        """By the rounds before this one."""
        self._used_now: JsonObject = {}
        """By this one, as far as it has said so."""
        self.rounds = 1
        self.reason = ""
        """The finish reason of this round; `""`: there is none yet."""
        self.is_readable = True
        """Nothing came that can't be continued: tool calls, several choices, an error, other content than text."""
        self._before = 0
        """Characters before this round."""

    @property
    def text(self) -> str:
        """The text of all rounds."""
        self._pieces = ["".join(self._pieces)]
        return self._pieces[0]

    @property
    def length(self) -> int:
        """Characters of it."""
        return self._length

    @property
    def reasoning(self) -> str:
        """What the model thought in the first round."""
        return "".join(self._thoughts)

    @property
    def used(self) -> JsonObject:
        """The usage of all rounds: each of them is billed, its input too."""
        return counts.added(self._used, self._used_now)

    @property
    def used_now(self) -> JsonObject:
        """The usage of this round; empty where it has told none."""
        return self._used_now

    @property
    def text_now(self) -> str:
        """The text of this round."""
        return self.text[self._before :]

    @property
    def has_text(self) -> bool:
        """Whether this round has brought any text."""
        return self._length > self._before

    @property
    def is_cut(self) -> bool:
        """Whether this round has ended before the answer did, and the answer can be continued.

        One that is reasoning alone can't: the next would think again, and spend its limit on that.
        """
        if not self.is_readable or not self.has_text or self._length > _LONGEST:
            return False
        if self.reason in LENGTH:
            text = self.text
            return bool(text.strip()) and not thoughts.is_all(text)
        return self._fences and self.reason == "stop" and fences.is_open(self.text)

    def begin(self) -> None:
        """A further round begins."""
        self._used, self._used_now = self.used, {}
        self._before = self._length
        self.rounds += 1
        self.reason = ""

    def note_usage(self, usage: object) -> None:
        """Take the usage that this round tells, each time that it does: it counts all of the round."""
        if isinstance(usage, dict) and usage:
            self._used_now = usage

    def note_choice(self, choice: JsonObject, given: JsonObject) -> None:
        """Take what a choice says in `given`, its message or one delta of it."""
        content = given.get("content")
        if isinstance(content, str):
            self._add(content)
        elif content:
            self.is_readable = False
        if given.get("tool_calls") or given.get("function_call"):
            self.is_readable = False
        if self.rounds == 1:
            self._thoughts += [thought for name in _THOUGHTS[:2] if isinstance(thought := given.get(name), str)][:1]
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            self.reason = reason

    def _add(self, text: str) -> None:
        self._length += len(text)
        if self._length <= _LONGEST:
            self._pieces.append(text)


def only_choice(answer: JsonObject) -> JsonObject | None:
    """The choice of an answer, or of a chunk, that has one alone; `None`: it has several, or none."""
    choices = answer.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        return None
    choice: JsonObject = choices[0]
    return None if choice.get("index") else choice


def without_thoughts(given: JsonObject) -> JsonObject:
    """A message or a delta of a further round without its reasoning, which would be shown behind the text."""
    return {name: value for name, value in given.items() if name not in _THOUGHTS}


def with_usage(answer: JsonObject, used: JsonObject) -> JsonObject:
    """An answer or a chunk that tells `used` wherever it tells its usage."""
    changed: dict[str, Any] = {**answer}
    if isinstance(answer.get("usage"), dict) and answer["usage"]:
        changed["usage"] = used
    choice = only_choice(answer)
    if choice is not None and isinstance(choice.get("usage"), dict) and choice["usage"]:
        changed["choices"] = [{**choice, "usage": used}]
    return changed
