"""What a request asks of its answer, and what comes of a text that is there as a whole. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson

from ...exchange import JsonObject
from ...wire import json_body
from ..whole import is_cut
from . import by_schema, schema
from .code_block import NoBlockFound, first_block
from .repair import Repaired, Wanted, repair
from .scan import is_json

type Verdict = Literal["valid", "repaired", "invalid"]

_WHY: Final = {
    "cut": "it ends before the JSON does",
    "nan": "NaN and Infinity are no JSON",
    "deep": "it is nested too deep",
    "syntax": "it is not spelt as JSON",
    "none": "it has no JSON object",
    "two": "it has more than one JSON value",
    "kind": "it is JSON of another kind than was asked for",
    "length": "it was cut short",
    "long": "it is too long to be looked at",
}
DONE: Final = {
    "bom": "the byte order mark before the JSON is cut off",
    "think": "the reasoning before the JSON is cut off",
    "fence": "the fence around the JSON is cut off",
    "prose": "the text around the JSON is cut off",
    "string": "the JSON is taken out of the string that it was in",
    "quotes": "quotation marks are those of JSON",
    "literals": "True, False and None of Python are those of JSON",
    "commas": "commas behind the last member are left out",
    "comments": "comments in the JSON are left out",
    "control": "control characters in strings are escaped",
    "escapes": "escapes that JSON doesn't have are its own",
    "keys": "keys get quotation marks",
    "signs": "full-width commas and colons are those of JSON",
    "space": "other white space than JSON's becomes a space",
    "code": "the code block alone is the answer",
    "asked": "the model was asked once more, and its second answer is JSON",
    "whole": "a whole number that was written as a fraction is an integer, as the schema demands",
    "from-text": "a string is the number or the literal that the schema demands",
    "nested": "a string is the object or the list that the schema demands",
}
"""What was done to a text, for a person."""

LARGEST: Final = 256 * 1024
"""Characters of a text that is looked at in a stream, on the event loop."""
LARGEST_WHOLE: Final = 4 * LARGEST
"""Characters of a text that is looked at elsewhere."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a text."""

    text: str
    verdict: Verdict
    done: tuple[str, ...] = ()
    """Keys of `DONE`."""
    error: str = ""
    """Why it is invalid, for the model that wrote it: it may quote the text."""
    why: str = ""
    """Why a text has no code block, in a word."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """An answer that isn't what was asked for."""

    place: int
    """Of its choice."""
    text: str
    error: str


@dataclass(slots=True)
class Asked:
    """What a request asks of its answer, and what came of it so far."""

    is_content: bool = False
    """Its text is to be JSON, or a code block."""
    wanted: Wanted = "any"
    schema: bytes | None = None
    """The schema that its text has to fit."""
    language: str = ""
    """The language of the code block that is wanted; `""`: JSON is."""
    tools: bytes | None = None
    """The tools whose calls are to fit their schemas: an object with the schema of each."""
    may_ask: bool = False
    """The model may be asked once more."""
    verdicts: list[Judged] = field(default_factory=list)
    fitted: Counter[str] = field(default_factory=Counter)
    """What was done to arguments, keys of `DONE`, and how often."""
    wrong: Wrong | None = None
    """The answer for which the model is asked once more."""
    question: bytes = b""
    """The request that was sent, where the model may be asked once more."""
    second: dict[int, Judged] = field(default_factory=dict)
    """What came of asking the model once more, by choice."""
    held: Any = None
    """What is held back of a stream (`held.HeldAnswer`)."""
    _schemas: JsonObject | None = None
    _noted: set[tuple[str, str]] = field(default_factory=set)

    def judge(self, text: str, place: int, *, is_cut: bool, largest: int = LARGEST_WHOLE) -> Judged:
        """What comes of the text of the choice at `place`, which is noted. `is_cut`: the model was cut short."""
        judged = self.second.pop(place, None) or self.judged(text, is_cut=is_cut, largest=largest)
        self.verdicts.append(judged)
        return judged

    def judged(self, text: str, *, is_cut: bool, largest: int = LARGEST_WHOLE) -> Judged:
        """As `judge`, without a note of it."""
        if len(text) > largest:
            return _invalid(text, "long")
        if self.language:
            block = first_block(text, self.language)
            if isinstance(block, NoBlockFound):
                return Judged(text, "invalid", error=block.why, why=block.why)
            return Judged(block, "repaired", ("code",))
        if is_cut:  # a part of an answer is none, however well it ends
            repaired = repair(text, self.wanted) if is_json(text) else Repaired(text, why="length")
        else:
            repaired = repair(text, self.wanted)
        if repaired.why is not None:
            return _invalid(text, repaired.why)
        if self.schema is not None and (wrong := schema.mismatch(_value(repaired.text), self.schema)):
            return Judged(text, "invalid", error=wrong)
        done = (*repaired.cut, *repaired.respelt)
        return Judged(repaired.text, "repaired" if repaired.is_changed else "valid", done)

    def find_wrong(self, answer: JsonObject) -> Wrong | None:
        """The first text of a whole answer that isn't what was asked for, if its model had done."""
        choices = answer.get("choices")
        for place, choice in enumerate(choices if isinstance(choices, list) else ()):
            message = choice.get("message") if isinstance(choice, dict) else None
            text = message.get("content") if isinstance(message, dict) else None
            if not isinstance(message, dict) or not isinstance(text, str) or message.get("tool_calls"):
                continue
            if not is_cut(choice.get("finish_reason")):
                judged = self.judged(text, is_cut=False)
                if judged.verdict == "invalid":
                    return Wrong(place, text, judged.error)
        return None

    def arguments(self, name: str, text: str, largest: int = LARGEST_WHOLE) -> str:
        """The arguments of a call of the tool `name`, in the types of its schema; unchanged where nothing is known."""
        if self.tools is None or not text.strip() or len(text) > largest:
            return text
        if self._schemas is None:
            self._schemas = json_body.parse_object(self.tools) or {}
        if name not in self._schemas:
            return text
        repaired = Repaired(text) if is_json(text) else repair(text, "object")
        if repaired.why is not None:
            return text
        fitted, done = by_schema.fitted(repaired.text, self._schemas[name], is_object=True)
        self.fitted.update([*repaired.cut, *repaired.respelt, *done])
        return fitted

    def unnoted(self, rule: str, done: list[str]) -> list[str]:
        """Of `done` by a `rule` what this is told of for the first time."""
        new = [what for what in dict.fromkeys(done) if (rule, what) not in self._noted]
        self._noted.update((rule, what) for what in new)
        return new

    @property
    def verdict(self) -> Verdict | None:
        """The worst of all choices; `None`: none was looked at."""
        found: set[Any] = {judged.verdict for judged in self.verdicts}
        order: tuple[Verdict, ...] = ("invalid", "repaired", "valid")
        return next((verdict for verdict in order if verdict in found), None)

    @property
    def said(self) -> str:
        """The verdict as the response header says it; `""`: there is none."""
        why = next((judged.why for judged in self.verdicts if judged.why), "")
        return f"{self.verdict}; {why}" if why else self.verdict or ""


def _invalid(text: str, why: str) -> Judged:
    where = ""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        where = f" ({error})" if why in ("syntax", "cut", "nan") else ""
    return Judged(text, "invalid", error=f"{_WHY[why]}{where}")


def _value(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:  # half a character
        return json_body.parse(text.encode("utf-8", "surrogatepass"))
