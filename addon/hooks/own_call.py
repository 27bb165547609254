"""What the client's own request used, told when it is over (`events.PAID`): as its answer says, or estimated."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mitmproxy import http
from mitmproxy.utils import asyncio_utils

from ..counting import bodies
from ..dialects import DIALECTS
from ..exchange import Exchange
from ..upstream import paid
from ..wire import noted_errors
from ..wire.content_coding import CodingError, TooLarge, unpack
from ..wire.usage import INPUT, OUTPUT
from ..workers import LIGHT, Abandoned, Workers

_MOST_READ: Final = 32 << 20
"""Bytes that a body unpacks to, to be estimated."""
_MOST_SAID: Final = 1 << 18
"""Bytes of an answer that are looked at."""


@dataclass(frozen=True, slots=True)
class _Unknown:
    """What an estimate is made from: the bodies as they went by, and what is known."""

    sent: bytes
    coding: str
    answer: bytes
    answer_coding: str
    passed: int
    spoken: str
    is_streamed: bool
    known: dict[str, int]
    input: int
    """Estimated before; 0: not."""

    def estimate(self) -> dict[str, int]:
        """All that is known, and input and output where they aren't. Raises nothing of its own."""
        asked = self.known.get(INPUT) or self.input or bodies.of_request(_plain(self.sent, self.coding))
        answer = _plain(self.answer, self.answer_coding)
        said = bodies.of_answer(answer[:_MOST_SAID], self.spoken, self.passed, streamed=self.is_streamed)
        return {**self.known, INPUT: asked, OUTPUT: max(said, self.known.get(OUTPUT, 0))}


class OwnCalls:
    """Tells of each. Estimates are worked out in a thread: their events come after the end of the exchange."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._estimating: dict[asyncio.Task[None], Callable[[], None]] = {}
        """What tells each at once."""

    def ended(self, flow: http.HTTPFlow, exchange: Exchange, status: int | None) -> None:
        """Tell of the request of `flow`, which has ended with `status`, if it has left for an endpoint."""
        if not exchange.sent_to or exchange.listener is None:
            return
        used, is_estimated = paid.own_usage(exchange), False
        wasted = exchange.wasted if not used else None
        if wasted is not None:
            used, is_estimated = wasted.used, wasted.is_estimated
        listener, ms = exchange.listener, max(0.0, exchange.elapsed - exchange.queued - exchange.milliseconds)

        def tell(used: dict[str, int], *, is_estimated: bool) -> None:
            paid.tell(
                exchange,
                "own",
                used,
                status=status or 0,
                ms=ms,
                profile=wasted.profile if wasted is not None else "",
                model=wasted.model if wasted is not None else "",
                upstream=wasted.upstream if wasted is not None else "",
                is_estimated=is_estimated,
                is_cancelled=exchange.left,
                listener=listener,
            )

        if not self._needs_estimate(exchange, used):
            tell(used, is_estimated=is_estimated)
            return
        unknown = _unknown(flow, exchange, used)
        self._later(unknown, lambda used: tell(used, is_estimated=True))

    def end(self) -> None:
        """Tell of all now: the process ends."""
        for task, tell in list(self._estimating.items()):
            task.cancel()
            tell()
        self._estimating.clear()

    def _later(self, unknown: _Unknown, tell: Callable[[dict[str, int]], None]) -> None:
        async def work() -> None:
            try:
                tell(await self._workers.run(lambda _: unknown.estimate(), max(LIGHT, len(unknown.sent))))
            except (Abandoned, RuntimeError):  # the process ends
                tell(unknown.estimate())

        task = asyncio_utils.create_task(work(), name="hunyuan-fix estimates tokens", keep_ref=True)
        self._estimating[task] = lambda: tell(unknown.estimate())
        task.add_done_callback(lambda done: self._estimating.pop(done, None))

    @staticmethod
    def _needs_estimate(exchange: Exchange, used: dict[str, int]) -> bool:
        """Whether the endpoint has answered, or was about to, and it isn't known what that cost."""
        if not 200 <= exchange.began < 300:
            return exchange.left and not used and not exchange.began
        is_vectors = DIALECTS[exchange.dialect].house == "embeddings" if exchange.dialect else False
        if INPUT not in used or not (OUTPUT in used or is_vectors):
            return True
        # An answer without its end may have told what it had used by then.
        return exchange.left or exchange.error in noted_errors.CUT


def _unknown(flow: http.HTTPFlow, exchange: Exchange, used: dict[str, int]) -> _Unknown:
    request, response = flow.request, flow.response
    stream = response.stream if response is not None else None
    answer = (getattr(stream, "kept", None) or response.raw_content or b"") if response is not None else b""
    return _Unknown(
        sent=request.raw_content or b"",
        coding=request.headers.get("content-encoding", ""),
        answer=answer,
        answer_coding=response.headers.get("content-encoding", "") if response is not None else "",
        passed=getattr(stream, "passed", 0) or len(answer),
        spoken=exchange.spoken,
        is_streamed=exchange.streamed,
        known=used,
        input=exchange.estimated,
    )


def _plain(body: bytes, coding: str) -> bytes:
    if not coding:
        return body
    try:
        return unpack(body, coding, _MOST_READ)
    except (CodingError, TooLarge):
        return body
