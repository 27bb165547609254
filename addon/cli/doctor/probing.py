"""What a probe is: a call for a few tokens, and the rows of the report that its answer gives. Pure: no I/O.

A refusal counts only if its text names what was asked for; an answer that says nothing of the request (429, 5xx, a bad
key, no answer) is no finding. A difference becomes keys of the profile's data file (docs/profiles.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ...exchange import JsonObject
from ...profiles import Model, Profile
from ...texts.sentence import Sentence
from ...wire import json_body

type Verdict = Literal["agrees", "differs", "unknown"]
type Where = Literal["models", "chat", "anthropic", "responses"]

MAX_TOKENS = 16
"""What an answer may cost."""
QUESTION: JsonObject = {"role": "user", "content": "1"}
NO_SUCH_API = frozenset({404, 405})
"""Statuses of a path that there isn't."""
_REFUSALS = frozenset({400, 404, 405, 422})
"""Statuses that may say something of the request."""
_SWITCHES: Mapping[str, Callable[[bool], JsonObject]] = {
    "thinking": lambda on: {"thinking": {"type": "enabled" if on else "disabled"}},
    "enable_thinking": lambda on: {"enable_thinking": on},
    "reasoning": lambda on: {"reasoning": {"enabled": on}},
}


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined: a model at the endpoints of a profile."""

    profile: Profile
    model: Model

    @property
    def thinks(self) -> bool:
        """By the profile's data it thinks where a request says nothing of it."""
        return self.model.thinking is not None and self.model.thinking.default

    def switched(self, *, on: bool) -> JsonObject:
        """The parameter that switches its thinking, by the profile's data; empty where none does."""
        control = self.model.thinking.control if self.model.thinking is not None else "none"
        switch = _SWITCHES.get(control)
        return switch(on) if switch is not None else {}


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the API, and the body to send; `None` for a GET."""

    where: Where
    body: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `status` is 0 where nothing did; `text` is the body, which is never shown."""

    status: int
    text: str = ""

    @property
    def good(self) -> bool:
        """The request was accepted."""
        return 200 <= self.status < 300

    def refuses(self, *words: str) -> bool:
        """The request was refused, and the text names one of `words`."""
        said = self.text.lower()
        return self.status in _REFUSALS and any(word in said for word in words)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report, in words that can be said in another language.

    `keys`: what makes the profile say what was found; empty where nothing has to be said.
    """

    what: str
    found: str
    claimed: str
    verdict: Verdict
    keys: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Probe:
    """A call, whether it makes sense for a subject, and the rows that its answer gives.

    `settles`: the row that it is for, where another probe left that open. Without that it isn't made.
    """

    call: Callable[[Subject], Call]
    rows: Callable[[Subject, Answer], Iterable[Row]]
    applies: Callable[[Subject], bool] = lambda _: True
    settles: str = ""


def held(what: str, found: str, claimed: str, keys: Mapping[str, Any]) -> Row:
    """A row for what was found out: `keys` are those of a difference."""
    return Row(what, found, claimed, "agrees", {}) if found == claimed else Row(what, found, claimed, "differs", keys)


def unknown(what: str, claimed: str, answer: Answer) -> Row:
    """A row for what `answer` says nothing of."""
    why = Sentence("no answer") if answer.status == 0 else f"HTTP {answer.status}"
    return Row(what, Sentence("not found out ({why})", why=why), claimed, "unknown")


def taken(accepted: bool) -> Sentence:
    """The word for a row."""
    return Sentence("accepted" if accepted else "refused")


def of_model(subject: Subject, **keys: Any) -> dict[str, Any]:
    """Keys of the model's row."""
    return {"models": {subject.model.id: keys}}


def parsed(answer: Answer) -> JsonObject:
    """The body as an object; empty where it is none."""
    return json_body.parse_object(answer.text.encode()) or {}
