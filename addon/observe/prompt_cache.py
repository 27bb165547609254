"""The prompt-cache ledger: how much of each input was cached, and which message broke the cache of a session.

An endpoint caches the beginning of a prompt. As long as each turn of a session begins with the turn before, it reads
that much from its cache. Where it does not, the ledger tells which part of the prompt changed first, and whose doing it
was (docs/facts/kimi.md#the-prompt-cache). It knows prompts by digests only: nothing here holds a text.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from ..texts.terminal import say
from .prompts import Difference, Prompt, difference, split

NAME: Final = "prompt-cache"
"""Of the note that an exchange has, and of the steps that write it."""
TOLD: Final = ("before", "compacted", "what", "pointer", "by", "rules", "missed")
"""What of that note an exchange tells at its end (`events.Done.prompt_cache`)."""
_MOST_SESSIONS: Final = 512
_MOST_THREADS: Final = 4
"""Conversations of one session: agents have side tasks under the same name."""
_MOST_ENTRIES: Final = 400_000
"""Entries of all sessions together."""
LEAST_MISSED: Final = 1024
_SHARE_MISSED: Final = 0.1
"""Tokens that could have been read from the cache and were not: fewer, or a smaller part of the turn before, is what
endpoints round off, or what they had no time to store."""
_LAST: Final = 20
"""Breaks that are remembered for `hunyuan.stats`."""

type By = Literal["client", "hunyuan-fix", "endpoint"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One request of a session, and what its answer used."""

    session: Hashable
    """The conversations of which it may be one."""
    is_named: bool
    """The client names its sessions; otherwise `session` stands for all that the caller sends."""
    sent: Prompt
    """As it left."""
    came: Prompt | None
    """As the client sent it; `None` where it sent only what is new."""
    input: int
    cached: int
    rules: tuple[tuple[str, str], ...] = ()
    """The names and the pointers of what was changed in between."""
    id: str = ""
    """Of its exchange."""


@dataclass(frozen=True, slots=True)
class Break:
    """Why the endpoint read less from its cache than the turn before let it."""

    missed: int
    """Tokens that the turn before had and that were not read from the cache, at least about."""
    pointer: str
    what: str
    by: By
    rules: tuple[str, ...] = ()

    def text(self) -> str:
        """One line: where, what, whose doing."""
        doer = {"client": "the client", "endpoint": "the endpoint"}.get(self.by) or ", ".join(
            ("hunyuan-fix", *self.rules)
        )
        return f"broken at {self.pointer}: {self.what} ({doer})" if self.pointer else f"{self.what} ({doer})"


@dataclass(frozen=True, slots=True)
class Found:
    """What a turn is to those before it."""

    before: str = ""
    """The exchange of the turn that it goes on with; `""`: it is the first of its conversation."""
    is_compacted: bool = False
    """Its client goes on from a summary of what was said before."""
    broken: Break | None = None
    """Why less was read from the cache than the turn before let expect, if so."""


@dataclass(slots=True)
class _Session:
    turns: list[Turn] = field(default_factory=list)
    """The last turn of each of its conversations, the latest last."""


class PromptCacheLedger:
    """The last turns of sessions. Not for several threads at once."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[Hashable, _Session] = OrderedDict()
        self._entries = 0
        self._caching: OrderedDict[bytes, None] = OrderedDict()
        """The models whose answers told of cached tokens before."""
        self._reporting: OrderedDict[str, None] = OrderedDict()
        """The base URLs of endpoints that told of cached tokens though their profile says that they don't."""
        self._last: deque[str] = deque(maxlen=_LAST)

    def is_reporting(self, base_url: str) -> bool:
        """Whether an answer of this endpoint told how much of its input was cached."""
        return base_url in self._reporting

    def reports(self, base_url: str) -> None:
        """An answer of this endpoint told how much of its input was cached."""
        if base_url not in self._reporting:
            self._reporting[base_url] = None
            if len(self._reporting) > _MOST_SESSIONS:
                self._reporting.popitem(last=False)

    def add(self, turn: Turn) -> Found:
        """Remember a turn."""
        session = self._sessions.setdefault(turn.session, _Session())
        self._sessions.move_to_end(turn.session)
        before = _turn_before(session.turns, turn)
        found = Found()
        if before is not None:
            found = Found(before.id, _is_shortened(before, turn), self._broken(before, turn))
            session.turns.remove(before)
            self._entries -= _size(before)
        session.turns.append(turn)
        self._entries += _size(turn)
        if len(session.turns) > _MOST_THREADS:
            self._entries -= _size(session.turns.pop(0))
        while len(self._sessions) > _MOST_SESSIONS or (self._entries > _MOST_ENTRIES and len(self._sessions) > 1):
            _, oldest = self._sessions.popitem(last=False)
            self._entries -= sum(map(_size, oldest.turns))
        if turn.cached:
            self._caching[turn.sent.model] = None
            if len(self._caching) > _MOST_SESSIONS:
                self._caching.popitem(last=False)
        return found

    def remember(self, line: str) -> None:
        """Keep the text of a break for `last`."""
        self._last.append(line)

    def last(self) -> Iterator[str]:
        """The last breaks, the latest first."""
        return reversed(self._last)

    def _broken(self, before: Turn, turn: Turn) -> Break | None:
        missed = min(before.input, turn.input) - turn.cached
        if missed <= max(LEAST_MISSED, _SHARE_MISSED * before.input):
            return None
        sent = difference(before.sent, turn.sent)
        if sent is None:
            if turn.sent.model not in self._caching:
                return None  # perhaps it caches nothing
            return Break(missed, "", "not kept, though the prompt begins as before", "endpoint")
        came = None if before.came is None or turn.came is None else difference(before.came, turn.came)
        if came is not None and not _is_ours(came, sent, turn):
            return Break(missed, came.pointer, came.what, "client")
        if turn.came is None and not _rules_at(sent.pointer, before, turn):
            return Break(missed, sent.pointer, sent.what, "client")
        return Break(missed, sent.pointer, sent.what, "hunyuan-fix", _rules_at(sent.pointer, before, turn))


def _turn_before(turns: Sequence[Turn], turn: Turn) -> Turn | None:
    """The turn of the same conversation; `None` for the first turn of one."""
    for before in reversed(turns):
        messages = before.sent.messages
        if len(messages) and turn.sent.messages.full.startswith(messages.full):
            return before
    now = set(split(turn.sent.messages.bare))
    best, most = None, 0
    for before in turns:
        then = split(before.sent.messages.bare)
        shared = len(now.intersection(then))
        is_longer = turn.is_named or len(turn.sent.messages) > len(then)
        if shared > most and shared >= 2 and 2 * shared >= len(then) and is_longer:
            best, most = before, shared
    if best is None and turn.is_named:
        best = next((before for before in reversed(turns) if _is_compacted(before, turn)), None)
    return best


def _is_compacted(before: Turn, turn: Turn) -> bool:
    """Whether a turn of a named session goes on from a summary of `before`: the same tools, a far shorter history."""
    return (
        before.sent.sections[0].full == turn.sent.sections[0].full
        and len(before.sent.sections[0]) > 0
        and len(before.sent.messages) >= 4
        and len(turn.sent.messages) < len(before.sent.messages)
    )


def _is_shortened(before: Turn, turn: Turn) -> bool:
    """Whether a turn that goes on with `before` has a shorter history, and less than half of the messages."""
    if len(turn.sent.messages) >= len(before.sent.messages):
        return False  # as of most turns
    then = split(before.sent.messages.bare)
    return 2 * len(set(then).intersection(split(turn.sent.messages.bare))) < len(then)


def _is_ours(came: Difference, sent: Difference, turn: Turn) -> bool:
    """Whether what left changed so far before what the client changed that the one can't be due to the other."""
    if came.place[0] != sent.place[0] or turn.came is None:
        return came.place > sent.place and turn.came is not None and _have_same_shape(turn.came, turn.sent)
    moved = abs(len(turn.came.messages) - len(turn.sent.messages)) + 1
    return came.place[1] - sent.place[1] > moved


def _have_same_shape(one: Prompt, other: Prompt) -> bool:
    """Whether two prompts are in one format: their sections mean the same."""
    return [section.pointer for section in one.sections] == [section.pointer for section in other.sections]


def _rules_at(pointer: str, before: Turn, turn: Turn) -> tuple[str, ...]:
    """The rules that changed the place in one of two turns; if there are none, those that changed anything in one."""
    here, then = (
        {name for name, at in one.rules if at == pointer or at.startswith(f"{pointer}/")} for one in (turn, before)
    )
    found = here ^ then or here | then
    return tuple(sorted(found or {name for name, _ in turn.rules} ^ {name for name, _ in before.rules}))


def _size(turn: Turn) -> int:
    return turn.sent.size + (0 if turn.came is None or turn.came is turn.sent else turn.came.size)


def told(note: Mapping[str, Any]) -> str:
    """The line for the note of an exchange: how much was cached, and what broke the cache. `""` for no such note."""
    input, cached = note.get("input"), note.get("cached")
    if not isinstance(input, int) or not isinstance(cached, int):
        return ""
    broken = note.get("broken")
    if isinstance(broken, str) and broken:
        return say(
            "prompt cache: {cached:,} of {total:,} input tokens cached; {broken}",
            cached=cached,
            total=input,
            broken=broken,
        )
    return say("prompt cache: {cached:,} of {total:,} input tokens cached", cached=cached, total=input)
