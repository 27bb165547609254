"""The way back of one request: which placeholders stand for which values, until its answer is over."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from ..exchange import JsonObject
from ..wire import json_body
from . import bodies
from .placeholders import FORM

_MARK: Final = b"MASKED-"

WHY_PUT_BACK: Final = "the values stand where the model wrote their placeholders"


@dataclass(slots=True)
class PutBack:
    """What is to be put back into an answer."""

    values: dict[str, str] = field(default_factory=dict, repr=False)
    """Placeholder -> value, of all that was masked in the request."""
    keeps_thinking: bool = False
    """Its endpoint signs what the model thought: it is left alone."""
    changes: int = 0
    """How many changes the exchange had when its request was masked last."""
    count: int = 0
    """Placeholders in the place of which a value was put."""
    unknown: int = 0
    """What looks like one in the answer, and is none of the request's."""

    def text(self, text: str) -> str:
        """`text` with the values; what looks like a placeholder and is none of the request's stays."""
        return FORM.sub(self._value, text) if "MASKED-" in text else text

    def whole(self, answer: JsonObject) -> bool:
        """Put them into an answer; whether there was one. Its parts are new then: what has heard them keeps those."""
        data = json_body.serialise(answer)
        if _MARK not in data:
            return False
        answer.update(json_body.parse(data))
        return self.within(answer)

    def within(self, part: JsonObject) -> bool:
        """Put them into an event of an answer, in place; whether there was one."""
        before = self.count
        bodies.changed(part, self.text, keeps_thinking=self.keeps_thinking)
        return self.count > before

    def _value(self, found: re.Match[str]) -> str:
        value = self.values.get(found[0])
        if value is None:
            self.unknown += 1
            return found[0]
        self.count += 1
        return value
