"""An agent that goes on and on is warned, and then refused with an error that ends its loop (`runaway`).

An error with status 400 that says so is final for every client that was measured but Claude Code, which gets a 402
(docs/facts/clients.md#retries, `dialects.anthropic.errors`); Codex takes no other status (`dialects.responses.errors`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .. import events, session
from ..exchange import Exchange, Response
from ..observe.metrics import counter
from ..runaway import Bounds
from ..runaway.loop import Before, Loop, goes_on, loop_of, may_hold
from ..runaway.memory import Agent
from ..runaway.repeated import Repeated, repeated
from ..texts import terminal
from ..texts.sentence import Sentence, in_language
from ..wire import proxy_errors, safe_text
from ..workers import Checkpoint
from .base import Step

RUNAWAY = counter(
    "hunyuan_runaway_total",
    "Requests of agents that go on and on, by what was counted and what was done.",
    "kind",
    "action",
)
"""`kind`: `iterations`, `same_call`, `same_request`; `action`: `warned`, `refused`, `observed` (would be refused)."""

_MOST_NAMED: Final = 4
"""Tools that an error names."""
_WORTH_REMEMBERING: Final = 16
"""Turns from which on a client may compact its history before its user says something."""

logger = logging.getLogger("hunyuan_fix")


@dataclass(frozen=True, slots=True)
class _Counted:
    """What was counted."""

    what: str
    count: int
    bounds: Bounds
    tools: Sequence[str] = ()

    def said(self) -> Sentence:
        """In the response header."""
        match self.what:
            case "same_request":
                return Sentence("the same request came {count} times within a minute", count=self.count)
            case "same_call":
                return Sentence(
                    "the agent has made the same tool call {count} times in a row, with the same result",
                    count=self.count,
                )
            case _:
                return Sentence(
                    "the agent has made {count} turns with tool calls since its user's last message", count=self.count
                )

    def logged(self, action: str) -> Sentence:
        """In the log, with what is done about it."""
        option = "hunyuan_max_iterations" if self.what == "iterations" else f"hunyuan_{self.what}"
        match action:
            case "refused":
                return Sentence("refused: {what} ({option})", what=self.said(), option=option)
            case "observed":
                return Sentence("would be refused: {what} ({option})", what=self.said(), option=option)
            case _:
                return Sentence("warned: {what} ({option})", what=self.said(), option=option)

    def refusal(self) -> Response:
        """For its client."""
        match self.what:
            case "same_request":
                error = proxy_errors.SAME_REQUEST(count=self.count)
            case "same_call":
                error = proxy_errors.SAME_CALL(tools=_named(self.tools), count=self.count)
            case _:
                error = proxy_errors.TOO_MANY_ITERATIONS(count=self.count)
        return error.response()


class Runaway(Step):
    """Before every step that does something to the request: it needs the history that came."""

    name = "runaway"
    once = True

    async def request(self, exchange: Exchange) -> Response | None:
        """Count what the agent did since its user's last message, and what its client sends again."""
        if exchange.may_run_on:
            return None
        found = [*self._requests(exchange), *await self._turns(exchange)]
        if not found:
            return None
        refused = next((one for one in found if _reached(one.bounds.refused, one.count)), None)
        for one in [refused] if refused else found:
            if one is refused or _reached(one.bounds.warned, one.count):
                self._tell(exchange, one, is_refused=one is refused)
        return refused.refusal() if refused else None

    def _requests(self, exchange: Exchange) -> list[_Counted]:
        """How often this very request came, where that is more than once."""
        bounds = self.settings.same_request
        if not (bounds.is_on and exchange.came):
            return []
        count = self.runtime.runaway.times(exchange.session, exchange.came, time.monotonic())
        return [_Counted("same_request", count, bounds)] if count > 1 else []

    async def _turns(self, exchange: Exchange) -> Sequence[_Counted]:
        """What the agent did since its user's last message; in a thread where the request is large."""
        iterations, same_call, body = self.settings.max_iterations, self.settings.same_call, exchange.chat
        continued = body.get("previous_response_id") or body.get("conversation")
        if not (goes_on(body) and (iterations.is_on or same_call.is_on)):
            if continued:  # else a request shows that its user has said something
                self.runtime.runaway.forget(_agent(exchange))
            return ()
        least = min(_WORTH_REMEMBERING, *filter(None, (*iterations, *same_call)))
        if not continued and not may_hold(body, least):
            return ()  # as of an agent's first steps

        def read(_: Checkpoint) -> tuple[Loop, Repeated]:
            loop = loop_of(body)
            return loop, repeated(loop.turns) if same_call.is_on else Repeated(0)

        loop, again = await self.runtime.workers.run(read, exchange.cost)
        turns = len(loop.turns)
        if loop.before is Before.SUMMARY or continued:
            mark = hash(loop.summary or (str(continued), exchange.came))
            turns = self.runtime.runaway.iterations(_agent(exchange), turns, loop.before, mark)
        elif turns >= _WORTH_REMEMBERING:
            self.runtime.runaway.iterations(_agent(exchange), turns, Before.USER, 0)
        return [
            _Counted("same_call", again.count, same_call, again.tools),
            _Counted("iterations", turns, iterations),
        ]

    def _tell(self, exchange: Exchange, counted: _Counted, *, is_refused: bool) -> None:
        action = "warned"
        if is_refused:
            action = "observed" if exchange.mode == "observe" else "refused"
        self.runtime.metrics.add(RUNAWAY, 1, counted.what, action)
        exchange.tell(events.RUNAWAY, what=counted.what, count=counted.count, action=action, session=exchange.session)
        if not is_refused:
            exchange.warn(counted.said())
        if self.runtime.runaway.is_news(_agent(exchange), f"{counted.what} {action}", counted.count):
            said = in_language(terminal.language(), counted.logged(action))
            # `/api/exchanges?session=` finds the agent's exchanges by it.
            path, found_by = safe_text.plain(exchange.path), exchange.session
            logger.warning("%s %s: %s session=%s", exchange.method, path, said, found_by)


def _reached(bound: int | None, count: int) -> bool:
    return bound is not None and count >= bound


def _agent(exchange: Exchange) -> Agent:
    return exchange.session, session.agent(exchange.headers)


def _named(tools: Sequence[str]) -> str:
    """The names of tools, for the client that gave them."""
    names = [safe_text.plain(name) or "?" for name in tools[:_MOST_NAMED]]
    return ", ".join(names + ["…"] * (len(tools) > _MOST_NAMED))
