"""What a step is: one thing done to every exchange, on the way in, on the way out, at its end.

To add a behaviour, write a `Step` in a file beside this one and add it to `pipeline.STEPS`. What it must remember until
the answer is plain data in `exchange.notes[name]`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from ..cascade import Cascade
from ..exchange import Exchange, JsonObject, Response
from ..observe.metrics import Metrics
from ..options import Settings
from ..stores import Chain
from ..upstream.embedding_batches import EmbeddingBatches
from ..workers import Workers


class Services(Protocol):
    """What steps may use beside the exchange: it outlives a change of options."""

    @property
    def workers(self) -> Workers:
        """For work that would keep other clients waiting."""

    @property
    def cascade(self) -> Cascade:
        """Images to text."""

    @property
    def metrics(self) -> Metrics:
        """Where to count: `self.services.metrics.add(COUNTER, 1, …)` (`observe.metrics`)."""

    @property
    def batches(self) -> EmbeddingBatches:
        """An embeddings request sent as several calls."""

    @property
    def chain(self) -> Chain:
        """The stores, for values that outlive an exchange: `Kept(self.services.chain, codec)` (`stores.kept`)."""


PATIENCE = 110.0
"""Seconds from a request's arrival in which everything before the endpoint's answer must be done: a client drops a
silent upstream after 120 (docs/facts/clients.md#timeouts)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an exchange ended. `status` is the answer's, `None` without one; `text` is what the log says."""

    how: Literal["answered", "refused", "failed"]
    status: int | None
    text: str


class Step:
    """One thing done to every exchange. Nothing is compulsory: a step overrides what it needs.

    Made anew for each set of options. What a step raises in `request` lets the request leave unchanged, or refuses it
    where `exchange.fails_closed`; elsewhere it is logged and the answer passes.
    """

    name = ""

    def __init__(self, settings: Settings, services: Services) -> None:
        self.settings = settings
        self.services = services

    async def request(self, exchange: Exchange) -> Response | None:
        """Change `exchange.chat`. A response ends the way here: the steps before this one get it as the answer."""
        return None

    def answer(self, exchange: Exchange, answer: JsonObject) -> bool:
        """Change a whole answer, in place. Returns whether it did."""
        return False

    def chunk(self, exchange: Exchange, chunk: JsonObject) -> Iterable[JsonObject]:
        """Change one chunk of a stream; several, or none, may take its place."""
        return (chunk,)

    def done(self, exchange: Exchange, outcome: Outcome) -> None:
        """The exchange is over, however it ended: count it, keep it, give back what was taken."""
