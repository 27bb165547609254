"""An answer that its length limit has cut is continued, as one answer for its client (`hunyuan_continue`).

Here it is decided for which requests that may be, and counted what came of it; the relay makes the further calls
(`relay.rounds`). What the client asks for is seen before the rules, what is sent behind them.
"""

from __future__ import annotations

from typing import Final

from .. import profiles
from ..answers.rounds.question import LIMITS, limit_of
from ..answers.rounds.wanted import Wanted
from ..answers.translated import upstream_of
from ..exchange import Change, Exchange, JsonObject, Response
from ..observe.metrics import counter
from ..options import Settings
from ..wire import rule_names
from .base import Outcome, Step, StepRuntime

CONTINUED = counter(
    "hunyuan_continued_total", "Answers that were cut and might be continued, by why they went no further.", "ended"
)
"""`ended`: `complete` (the model came to its end), or what `answers.rounds.wanted.ENDS` lists."""

_OFF: Final = "off"
_OWN_LIMIT: Final = "max_output_tokens"
"""As a Responses request names its limit."""


def is_wanted(exchange: Exchange, settings: Settings) -> bool:
    """Whether the answer to this request is to be continued, as far as its options and its headers say.

    On the host of a plan only if both say so: its terms forbid calls that nobody waits for.
    """
    wish = exchange.continue_wish
    if exchange.mode == "observe" or wish == _OFF or (wish and not wish.strip("0")):
        return False
    if profiles.load(exchange.profile).plan:
        return bool(wish) and settings.continue_ != _OFF
    return bool(wish) or settings.continue_ != _OFF


def needs_chat(exchange: Exchange, settings: Settings, body: JsonObject) -> bool:
    """Whether a request in another format than chat has to be translated, so that its answer can be continued.

    Messages names a limit in every request, so that its client has to ask for it.
    """
    if not (exchange.continue_wish or settings.continue_ != _OFF) or not is_wanted(exchange, settings):
        return False
    if exchange.spoken == rule_names.ANTHROPIC:
        return bool(exchange.continue_wish)
    return body.get(_OWN_LIMIT) is None


class ContinueAsked(Step):
    """Before the rules, which may lower the client's own limit."""

    name = "continue"

    def __init__(self, settings: Settings, runtime: StepRuntime) -> None:
        super().__init__(settings, runtime)
        self._is_on = settings.continue_ != _OFF

    async def request(self, exchange: Exchange) -> Response | None:
        """Note how far the answer is to be continued."""
        if not (self._is_on or exchange.continue_wish) or not is_wanted(exchange, self.settings):
            return None
        if not upstream_of(exchange).is_house or _choices(exchange.chat) != 1:
            return None
        settings, wish = self.settings, exchange.continue_wish
        rounds = min(int(wish), settings.continue_rounds) if wish.isdecimal() else settings.continue_rounds
        own = limit_of(exchange.chat)
        if own is None and any(exchange.chat.get(name) is not None for name in LIMITS):
            return None  # it set one, which can't be read
        if wish and exchange.spoken == rule_names.ANTHROPIC:
            own = None  # the format demands it, and its client has asked for more
        if rounds > 1:
            exchange.rounds = Wanted(
                rounds=rounds,
                seconds=settings.continue_seconds,
                tokens=settings.continue_tokens,
                cost=settings.continue_cost,
                own_limit=own,
                fences=settings.continue_fences,
            )
        return None


class AutoContinue(Step):
    """Behind the rules."""

    name = rule_names.ANSWER_CONTINUED

    async def request(self, exchange: Exchange) -> Response | None:
        """Nothing is continued where the endpoint has the client's own limit."""
        wanted: Wanted | None = exchange.rounds
        if wanted is not None and wanted.own_limit is not None:
            sent = limit_of(exchange.chat)
            if sent is not None and sent >= wanted.own_limit:
                wanted = exchange.rounds = None
        if wanted is not None:
            exchange.wants_usage = True  # it is the sum of all rounds, and bounds them
        return None

    def answer(self, exchange: Exchange, answer: JsonObject) -> bool:
        """Note that a whole answer was continued. Of a stream that is noted at its end, behind its headers."""
        self._note(exchange)
        return False

    def done(self, exchange: Exchange, outcome: Outcome) -> None:
        """Count what came of the answer."""
        wanted: Wanted | None = exchange.rounds
        if wanted is None:
            return
        self._note(exchange)
        exchange.rounds = None
        if wanted.made > 1 or wanted.ended:
            self.runtime.metrics.add(CONTINUED, 1, wanted.ended or "complete")

    def _note(self, exchange: Exchange) -> None:
        wanted: Wanted | None = exchange.rounds
        if wanted is not None and wanted.made > 1 and self.name not in exchange.rules:
            why = f"it was cut at its length limit and continued: {wanted.made} calls, one answer"
            exchange.note([Change(self.name, "", why)])


def _choices(chat: JsonObject) -> object:
    """How many answers are asked for."""
    asked = chat.get("n")
    return 1 if asked is None else asked
