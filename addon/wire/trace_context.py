"""The trace that a request belongs to, as `traceparent` and `tracestate` name it: W3C Trace Context. Pure.

The headers: https://www.w3.org/TR/trace-context-2/. A request whose `traceparent` can't be read begins a new trace, as
section 4.3 has it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ..exchange import JsonObject

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"

SAMPLED: Final = 0x01
_RANDOM: Final = 0x02
"""The trace id is random: it is sent on as it is (section 3.2.2.5.2). All other flags are 0."""

_PARENT: Final = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
"""Version, trace id, span id and flags; later versions may have more behind them (section 3.2.2)."""
_MEMBER: Final = re.compile(
    r"([a-z0-9][_0-9a-z*/-]{0,255}(?:@[a-z0-9][_0-9a-z*/-]{0,13})?)="
    r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_MOST_MEMBERS: Final = 32
_LONGEST: Final = 16_000
"""Characters of a `tracestate` that is read; its members have room for no more."""
_BLANKS: Final = " \t"

type Pairs = Sequence[tuple[bytes, bytes]]
"""Header pairs, in their order and spelling."""


@dataclass(frozen=True, slots=True)
class Parent:
    """What a client's headers say."""

    trace_id: str
    span_id: str
    flags: int
    state: str
    """`""`: there is none, or none that can be read."""

    @property
    def sampled(self) -> bool:
        """Whether the client keeps what belongs to the trace."""
        return bool(self.flags & SAMPLED)


def parent(traceparent: str | None, tracestate: str | None = None) -> Parent | None:
    """The client's span; `None` where `traceparent` is missing, or isn't one."""
    found = _PARENT.fullmatch(traceparent.strip(_BLANKS)) if traceparent else None
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == "00" and more is not None:
        return None
    return Parent(trace_id, span_id, int(flags, 16) & (SAMPLED | _RANDOM), _state(tracestate or ""))


def _state(given: str) -> str:
    """`given`, if each of its members can be read and none is there twice; else `""` (section 3.3.1)."""
    if not given or len(given) > _LONGEST:
        return ""
    members = [member for part in given.split(",") if (member := part.strip(_BLANKS))]
    keys = [found[1] for member in members if (found := _MEMBER.fullmatch(member))]
    readable = len(keys) == len(members) <= _MOST_MEMBERS and len(set(keys)) == len(keys)
    return ",".join(members) if readable else ""


def new_trace_id() -> str:
    """A random one, in hexadecimal."""
    return f"{random.getrandbits(128) or 1:032x}"


def new_span_id() -> str:
    """A random one, in hexadecimal."""
    return f"{random.getrandbits(64) or 1:016x}"


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace of one exchange. Its own span is `span_id`; each call that is made for it has one below that."""

    trace_id: str
    span_id: str
    parent_id: str
    """The client's span; `""`: the trace begins here."""
    flags: int
    state: str
    is_sent_on: bool
    """Requests that leave name it; `False`: they keep the client's headers."""

    @property
    def sampled(self) -> bool:
        """Whether its spans are exported."""
        return bool(self.flags & SAMPLED)

    def told(self) -> JsonObject:
        """What the first event of the exchange tells of it."""
        return {
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "parent_id": self.parent_id,
            "sampled": self.sampled,
        }

    def headers(self, span_id: str) -> dict[str, str]:
        """The headers of a request that belongs to the span `span_id`; none where it isn't sent on."""
        if not self.is_sent_on:
            return {}
        named = {TRACEPARENT: f"00-{self.trace_id}-{span_id}-{self.flags:02x}"}
        return named | {TRACESTATE: self.state} if self.state else named

    def on(self, given: Pairs, span_id: str) -> Pairs:
        """The headers `given` with those of the span `span_id` in the place of the client's."""
        if not self.is_sent_on:
            return given
        kept = [pair for pair in given if pair[0].lower() not in _NAMES]
        return [*kept, *((name.encode(), value.encode()) for name, value in self.headers(span_id).items())]


_NAMES: Final = frozenset({TRACEPARENT.encode(), TRACESTATE.encode()})


def begin(client: Parent | None, samples: Callable[[str, bool | None], bool], *, is_sent_on: bool) -> Trace:
    """The trace of an exchange: the client's, or a new one. `samples(trace_id, client_samples)`: whether it is kept."""
    if client is None:
        trace_id = new_trace_id()
        flags = SAMPLED if samples(trace_id, None) else 0
        return Trace(trace_id, new_span_id(), "", flags, "", is_sent_on)
    sampled = SAMPLED if samples(client.trace_id, client.sampled) else 0
    flags = client.flags & _RANDOM | sampled
    return Trace(client.trace_id, new_span_id(), client.span_id, flags, client.state, is_sent_on)
