"""Budgets: a call reserves what it will probably use, or is refused where that is spent (`hunyuan_budgets`).

The refusal is final, as that of an agent that goes on and on (`steps.runaway`): a 400, which the formats of clients
turn into what ends each of them. What calls have really used is told by `events.PAID`, which `budgets.spending` hears.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from .. import events, prices
from ..budgets.lines import Budget, amount
from ..budgets.spending import HELD_WAIT, Spent, Verdict
from ..dialects import DIALECTS
from ..exchange import Exchange, JsonObject, Response
from ..observe.metrics import counter
from ..profiles import Model
from ..texts import terminal
from ..texts.sentence import Sentence, in_language
from ..wire import proxy_errors, safe_text
from .base import Step, StepRuntime
from .rules import context_of
from .sampled import sampled

BUDGETS = counter(
    "hunyuan_budget_requests_total",
    "Requests under a budget for which something was done, by whose budget it is and what was done.",
    "scope",
    "action",
)
"""`action`: `warned`, `refused`, `held` (refused for now), `unpriced` (not counted in money), `observed` (would be
refused)."""

OPTION: Final = "hunyuan_budgets"
USUAL_OUTPUT: Final = 4096
"""Tokens of an answer that are reserved where its request sets no limit."""
_LIMITS: Final = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_MOST_CHOICES: Final = 128
_MOST_OUTPUT: Final = 2**31
_COST_SAMPLED: Final = 4
"""What is counted for the work of repairing a body, to sample its texts: each of them is looked at."""
_RETRY_AFTER: Final = 5
"""Seconds after which a client may ask again for what calls under way hold."""

logger = logging.getLogger("hunyuan_fix")


class KeepToBudget(Step):
    """After the model is chosen, and before anything is paid for: images are described by calls, too."""

    name = "budget"
    once = True

    async def request(self, exchange: Exchange) -> Response | None:
        """Reserve an estimate of what the call will use."""
        if not self.settings.budgets:
            return None
        spending = self.runtime.spending
        if not spending.applying(exchange.client, exchange.session):
            return None
        house = DIALECTS[exchange.dialect].house
        cost_of_it = exchange.size if house == "native" else exchange.cost // _COST_SAMPLED
        _, tokens = await self.runtime.workers.run(lambda _: sampled(exchange), cost_of_it)
        context = context_of(exchange, self.settings)
        answer = 0 if house == "embeddings" else _output(exchange.chat, context.model)
        exchange.estimated, exchange.wants_usage = tokens, True
        host = urlsplit(exchange.base_url).hostname or ""
        model = str(exchange.chat.get("model") or "")
        cost = prices.cost(context.profile, model, host, {"input": tokens, "output": answer})
        is_observed = self.settings.mode == "observe"
        verdict = await spending.reserve(
            exchange.id,
            exchange.client,
            exchange.session,
            tokens + answer,
            cost,
            patience=0.0 if is_observed else HELD_WAIT,  # what only observes delays nothing
        )
        return told(self.runtime, exchange, verdict, model, host, is_observed=is_observed)

    def done(self, exchange: Exchange, outcome: object) -> None:
        """Give back what is still reserved."""
        self.runtime.spending.over(exchange.id, is_sent=bool(exchange.sent_to))


def told(
    runtime: StepRuntime, exchange: Exchange, verdict: Verdict, model: str, host: str, *, is_observed: bool
) -> Response | None:
    """Say what a verdict is, wherever somebody looks. Returns the refusal, if it is one.

    `is_observed`: the whole proxy only observes. A client that asks for that itself is refused all the same.
    """
    error, action = None, ""
    budget = verdict.refusing
    if verdict.spent is not None:
        budget, action = verdict.spent.budget, "refused"
        error = proxy_errors.BUDGET_SPENT(
            budget=_named(verdict.spent), spent=_amount(verdict.spent), resets=verdict.spent.resets
        )
    elif verdict.held is not None:
        budget, action = verdict.held.budget, "held"
        error = proxy_errors.BUDGET_HELD(
            budget=_named(verdict.held),
            spent=_amount(verdict.held),
            resets=verdict.held.resets,
            seconds=_RETRY_AFTER,
            retry_after=_RETRY_AFTER,
        )
    elif budget is not None:
        action = "refused"
        error = proxy_errors.BUDGET_UNPRICED(
            budget=str(budget), model=safe_text.plain(model) or "?", host=safe_text.plain(host)
        )
    if error is not None and budget is not None:
        exchange.is_over_budget = not is_observed
        action = "observed" if is_observed else action
        _tell(runtime, exchange, budget, action)
        whose = verdict.spent or verdict.held
        _log(runtime, exchange, whose, str(budget), action)
        return error.response()
    for nearly in verdict.nearly:
        exchange.warn(_said(nearly))
        _tell(runtime, exchange, nearly.budget, "warned")
        _log(runtime, exchange, nearly, str(nearly.budget), "warned")
    if verdict.unpriced:
        exchange.warn(_unpriced(model, verdict.unpriced))
        _tell(runtime, exchange, verdict.unpriced[0], "unpriced")
        if runtime.spending.is_news(f"unpriced {model[:200]} {host}"):
            logger.warning("%s", in_language(terminal.language(), _unpriced(model, verdict.unpriced)))
    return None


def _output(body: JsonObject, model: Model) -> int:
    """Tokens that the answer may have: the request's own limit, at most the model's, for each of its choices."""
    given = (body.get(name) for name in _LIMITS)
    asked = next((limit for limit in given if type(limit) is int and 0 < limit < _MOST_OUTPUT), USUAL_OUTPUT)
    choices = body.get("n")
    times = choices if type(choices) is int and 1 <= choices <= _MOST_CHOICES else 1
    return times * (asked if model.output is None else min(asked, model.output))


def _tell(runtime: StepRuntime, exchange: Exchange, budget: Budget, action: str) -> None:
    runtime.metrics.add(BUDGETS, 1, budget.scope, action)
    exchange.tell(events.BUDGET, budget=str(budget), action=action, session=exchange.session)


def _log(runtime: StepRuntime, exchange: Exchange, whose: Spent | None, budget: str, action: str) -> None:
    """Once for each counter: clients may ask again and again."""
    if not runtime.spending.is_news(f"{action} {budget} {whose.who if whose else ''} {whose.resets if whose else ''}"):
        return
    said = _said(whose) if whose else Sentence("the budget {budget} is strict, and a price isn't known", budget=budget)
    match action:
        case "warned":
            line = Sentence("warned: {what} ({option})", what=said, option=OPTION)
        case "observed":
            line = Sentence("would be refused: {what} ({option})", what=said, option=OPTION)
        case "held":
            line = Sentence(
                "refused for now: {what}, and the rest is reserved for calls under way ({option})",
                what=said,
                option=OPTION,
            )
        case _:
            line = Sentence("refused: {what} ({option})", what=said, option=OPTION)
    path = safe_text.plain(exchange.path)
    logger.warning("%s %s: %s", exchange.method, path, in_language(terminal.language(), line))


def _said(spent: Spent) -> Sentence:
    """How much of a budget is used."""
    return Sentence(
        "{percent}% of the budget {budget} is used; it begins anew at {resets}",
        percent=100 * spent.spent // max(1, spent.budget.limit),
        budget=_named(spent),
        resets=spent.resets,
    )


def _unpriced(model: str, budgets: Sequence[Budget]) -> Sentence:
    return Sentence(
        "the price of {model} isn't known in the currency of {budgets}: the call isn't counted there",
        model=safe_text.plain(model) or "?",
        budgets=", ".join(map(str, budgets)),
    )


def _named(spent: Spent) -> str:
    """Which budget, for its own client: the line, with the client's name in the place of `*`."""
    budget = spent.budget
    whose = f"client:{spent.who}" if budget.scope == "client" else budget.subject
    return f"{whose} {budget.period} {amount(budget.limit, budget.unit)}"


def _amount(spent: Spent) -> str:
    return amount(spent.spent, spent.budget.unit)
