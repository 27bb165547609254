"""An exchange: one LLM call on its way through the proxy, and what the addon did to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

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


class Changes(list[Change]):
    """What one rule did to a body.

    Past `MAX_LISTED` changes no more are listed: a record shows fewer, and a small body can hold a million messages.
    """

    MAX_LISTED = 1000

    def note(self, rule: str, message: int, why: str, field: str = "") -> None:
        """Add a change in message number `message`; `field` is the rest of its pointer, with a slash before it."""
        self.note_at(rule, f"/messages/{message}{field}", why)

    def note_at(self, rule: str, pointer: str, why: str) -> None:
        """Add a change at a place anywhere in the body."""
        if len(self) < self.MAX_LISTED:
            self.append(Change(rule, pointer, why))


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
