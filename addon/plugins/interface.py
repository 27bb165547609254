"""What a plug-in is made of. A module of the user's has one in `PLUGIN`; `loading` finds and checks it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..exchange import Exchange, JsonObject, Outcome, Response
from ..observe.health import Check, Finding, State
from ..observe.sinks import Sink
from ..rules import Rule
from ..texts.sentence import Sentence

PATIENCE = 10.0
"""Seconds that a step may take for a request, unless its plug-in says otherwise."""
MOST_PATIENCE = 100.0
"""Clients drop a silent upstream after 120 seconds (docs/facts/clients.md#timeouts)."""


class Step:
    """One thing done to every exchange, among the proxy's own steps. A step overrides the methods that it needs.

    One object serves all exchanges: what belongs to one of them is plain data in `exchange.note_of(self.name)`.
    What a method raises is logged by its type and place and counted, and what it has changed until then is undone. What
    `answer`, `chunk` and `done` do keeps all clients waiting meanwhile.
    """

    name = ""
    """As it stands in the log, in changes and in the header `x-hunyuan-fix`."""
    about = ""
    """What it does, in a sentence: for `hunyuan.explain`."""
    before = ""
    """The name of the step directly before which it stands."""
    after = ""
    """The name of the step directly behind which it stands. Without either it stands before the rules."""
    houses: Collection[str] = ("chat",)
    """Which requests pass it: `chat` (also those that are translated to it), `native` (in another format that the
    endpoint speaks itself), `embeddings`, `count` (of tokens)."""

    async def request(self, exchange: Exchange) -> Response | None:
        """Change `exchange.chat`. A response ends the request: the steps before this one see it as the answer."""
        return None

    def answer(self, exchange: Exchange, answer: JsonObject) -> None:
        """Change a whole answer in place; in a thread where it is large."""

    def chunk(self, exchange: Exchange, chunk: JsonObject) -> Iterable[JsonObject]:
        """The chunks to send for one chunk of a stream: itself, changed or not, several, or none. `chat` only."""
        return (chunk,)

    def done(self, exchange: Exchange, outcome: Outcome) -> None:
        """Called when the exchange is over, however it ended. `exchange.chat` is empty by then."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """What a plug-in adds. `name`: a few letters, a label of its metric.

    `alerts` are rows of `addon/observe/alerts/alerts.toml`, by name. `profiles` is a folder of TOML files as for
    `hunyuan_profiles`, which is laid over it. `patience`: seconds that one of its steps may take for a request. `about`
    is a sentence for people.
    """

    name: str
    steps: tuple[Step, ...] = ()
    rules: tuple[Rule, ...] = ()
    sinks: tuple[Sink, ...] = ()
    checks: tuple[Check, ...] = ()
    alerts: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    profiles: Path | None = None
    patience: float = PATIENCE
    about: str = ""


def healthy(message: str) -> Finding:
    """What a check returns where all is well."""
    return Finding(State.HEALTHY, Sentence(message))


def degraded(message: str) -> Finding:
    """What a check returns where something is lost or about to fail, and requests go on."""
    return Finding(State.DEGRADED, Sentence(message))


def unhealthy(message: str) -> Finding:
    """What a check returns where requests fail: `/readyz` refuses then."""
    return Finding(State.UNHEALTHY, Sentence(message))
