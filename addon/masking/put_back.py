"""The way back of one request: which placeholders stand for which values, until its answer is over."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from ..exchange import JsonObject
from ..wire import json_body
from . import bodies
from .placeholders import FORM, MARK

WHY_PUT_BACK: Final = "the values stand where the model wrote their placeholders"


class UnknownPlaceholder(Exception):
    """A call says what looks like a placeholder, has no value, and is nothing that its client wrote itself.

    The tool would get it as it is, and may write it to disk: the answer is an error instead.
    """


@dataclass(slots=True)
class PutBack:
    """What is to be put back into an answer."""

    values: dict[str, str] = field(default_factory=dict, repr=False)
    """Placeholder -> value, of all that was masked in the request."""
    literal: set[str] = field(default_factory=set, repr=False)
    """What only looks like a placeholder and stood in the request as it came (`masked.Masking.literal`)."""
    keeps_thinking: bool = False
    """Its endpoint signs what the model thought: it is left alone."""
    changes: int = 0
    """How many changes the exchange had when its request was masked last."""
    count: int = 0
    """Placeholders in the place of which a value was put."""
    unknown: int = 0
    """What looks like one in the answer, is none of the request's, and stays."""
    refused: int = 0
    """Answers that are an error instead, because of an unknown one in a call."""

    def text(self, text: str) -> str:
        """`text` with the values; what looks like a placeholder and is none of the request's stays."""
        return FORM.sub(self._value, text) if MARK in text else text

    def of_call(self, text: str) -> str:
        """The same for what a call says. Raises `UnknownPlaceholder`."""
        return FORM.sub(self._value_in_call, text) if MARK in text else text

    def may_stay(self, placeholder: str) -> bool:
        """Whether what looks like a placeholder may stand in a call as it is."""
        return placeholder in self.literal and placeholder not in self.values

    def refuse(self) -> UnknownPlaceholder:
        """The exception for an answer that is an error; counted."""
        self.refused += 1
        return UnknownPlaceholder()

    def whole(self, answer: JsonObject) -> bool:
        """Put them into an answer; whether there was one. Its parts are new then: what has heard them keeps those.

        Raises `UnknownPlaceholder`, as `within` does.
        """
        data = json_body.serialise(answer)
        if MARK.encode() not in data:
            return False
        answer.update(json_body.parse(data))
        return self.within(answer)

    def within(self, part: JsonObject) -> bool:
        """Put them into an event of an answer, in place; whether there was one."""
        before = self.count
        bodies.changed(part, self.text, self.of_call, keeps_thinking=self.keeps_thinking)
        return self.count > before

    def _value_in_call(self, found: re.Match[str]) -> str:
        if found[0] not in self.values and not self.may_stay(found[0]):
            raise self.refuse()
        return self._value(found)

    def _value(self, found: re.Match[str]) -> str:
        value = self.values.get(found[0])
        if value is None:
            self.unknown += 1
            return found[0]
        self.count += 1
        return value
