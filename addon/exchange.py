"""An exchange: one LLM call on its way through the proxy, and what the addon did to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self, overload

type JsonObject = dict[str, Any]
"""A parsed JSON object: a request body, a message, an answer."""

Endpoint = Literal["chat", "embeddings"]
"""Which of the handled APIs a path belongs to."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing a rule did to a body.

    `rule` is the rule's name (a key of `docs/rules.md`), `pointer` the JSON Pointer of the place in the body
    as the rule found it, `why` one English line for a person, without any message content.
    """

    rule: str
    pointer: str
    why: str


@dataclass(frozen=True, slots=True)
class Response:
    """An answer made here: an error, a repaired answer, the joined parts of a batch.

    Header names are in lower case, as HTTP/2 wants them.
    """

    status: int
    headers: dict[str, str]
    body: bytes


class Changes(Sequence[Change]):
    """Changes in their order. A `Change` is made when it is looked at: most are only counted, and named by their rule.

    Past `MAX_LISTED` changes `note` and `note_at` list no more: a record shows fewer, and a small body can hold a
    million messages. Equal to any sequence of the same changes.
    """

    MAX_LISTED = 1000

    __slots__ = ("_noted",)

    def __init__(self, changes: Iterable[Change] = ()) -> None:
        self._noted: list[Change | tuple[str, int, str, str]] = []
        """A change, or its rule, number of the message, reason and the rest of its pointer."""
        self.extend(changes)

    def note(self, rule: str, message: int, why: str, field: str = "") -> None:
        """Add a change in message number `message`; `field` is the rest of its pointer, with a slash before it."""
        if len(self._noted) < self.MAX_LISTED:
            self._noted.append((rule, message, why, field))

    def note_at(self, rule: str, pointer: str, why: str) -> None:
        """Add a change at a place anywhere in the body."""
        if len(self._noted) < self.MAX_LISTED:
            self._noted.append(Change(rule, pointer, why))

    def append(self, change: Change) -> None:
        """Add one change."""
        self._noted.append(change)

    def extend(self, changes: Iterable[Change]) -> None:
        """Add the changes that another rule made."""
        self._noted += changes._noted if isinstance(changes, Changes) else changes

    def rules(self) -> list[str]:
        """The names of the rules, each once, in order."""
        return list(dict.fromkeys(noted.rule if isinstance(noted, Change) else noted[0] for noted in self._noted))

    def __len__(self) -> int:
        return len(self._noted)

    def __iter__(self) -> Iterator[Change]:
        return map(_spelt_out, self._noted)

    @overload
    def __getitem__(self, index: int) -> Change: ...
    @overload
    def __getitem__(self, index: slice) -> list[Change]: ...
    def __getitem__(self, index: int | slice) -> Change | list[Change]:
        noted = self._noted[index]
        return list(map(_spelt_out, noted)) if isinstance(noted, list) else _spelt_out(noted)

    def __iadd__(self, changes: Iterable[Change]) -> Self:
        self.extend(changes)
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Changes({list(self)!r})"


def _spelt_out(noted: Change | tuple[str, int, str, str]) -> Change:
    if isinstance(noted, Change):
        return noted
    rule, message, why, field = noted
    return Change(rule, f"/messages/{message}{field}", why)


@dataclass(slots=True)
class AnswerPlan:
    """What must be undone in the answer, because a rule changed the question. Filled by the rules.

    Plain data only: it travels in `flow.metadata`, and a saved flow file takes nothing else.
    """

    tool_names: dict[str, str] = field(default_factory=dict)
    """Tool name as sent upstream -> as the client called it."""
    tools: list[str] = field(default_factory=list)
    """The names of all tools as sent upstream: a name that comes in pieces is whole when it is one of them."""
    function_call: bool = False
    """The client speaks the deprecated `functions`: answer with `function_call`, not `tool_calls`."""
    json_fence: bool = False
    """A JSON answer was asked for by instruction: take a ```json fence around it off."""
    stop: list[str] = field(default_factory=list)
    """Stop texts that this endpoint includes in its output (docs/facts/hunyuan.md#stop): cut them off."""
    base64_embeddings: bool = False
    """The client asked for `encoding_format: base64`: pack the floats (little-endian float32)."""

    def to_plain(self) -> JsonObject:
        """The plan as plain data for `flow.metadata`."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> AnswerPlan:
        """The plan that `to_plain` wrote."""
        return cls(**plain)
