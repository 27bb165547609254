"""A plug-in every part of which fails, with a text that must be nowhere. For `test_plugins.py`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hunyuan_fix.plugins import (
    Change,
    Check,
    Event,
    Exchange,
    Finding,
    JsonObject,
    Outcome,
    Plugin,
    Response,
    Rule,
    RuleContext,
    Step,
    events,
)


class Raises(Step):
    name = "raises"

    async def request(self, exchange: Exchange) -> Response | None:
        text = str(exchange.chat["messages"])
        exchange.chat.clear()
        raise ValueError(text)

    def answer(self, exchange: Exchange, answer: JsonObject) -> None:
        text = str(answer)
        answer.clear()
        raise ValueError(text)

    def chunk(self, exchange: Exchange, chunk: JsonObject) -> Iterable[JsonObject]:
        text = str(chunk)
        chunk.clear()
        raise ValueError(text)

    def done(self, exchange: Exchange, outcome: Outcome) -> None:
        raise ValueError(str(exchange.headers))


def raises(body: JsonObject, context: RuleContext) -> Sequence[Change]:
    text = str(body)
    body["messages"] = []
    raise ValueError(text)


class Deaf:
    name = "deaf"
    kinds = (events.DONE,)

    def hear(self, event: Event) -> None:
        raise ValueError("swordfish")


async def look() -> Finding:
    raise ValueError("swordfish")


PLUGIN = Plugin(
    "raising",
    steps=(Raises(),),
    rules=(Rule("raises-rule", "It is for a test.", "It is a test.", raises, ("parts",)),),
    sinks=(Deaf(),),
    checks=(Check("ill", look),),
)
