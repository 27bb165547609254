"""One exchange as a story: what it was, when what happened, what was changed and why, both sides, the answer.

Everything is worked out when somebody looks, in a thread, in time that grows with the bodies; what is given is bounded,
and the rest of it can be asked for (`story_rest`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from ..events import Paid
from ..exchange import Exchange, JsonObject, Response
from ..observe.admin.route import json_answer
from ..observe.last_exchanges import Kept
from ..views import places, shorten
from ..wire import json_body, proxy_errors
from ..wire.openai_error import ProxyError
from ..workers import LIGHT
from . import (
    story_answer,
    story_calls,
    story_changes,
    story_head,
    story_messages,
    story_sides,
    story_time,
    story_without,
)
from .content import Content, WhyNot
from .sources import Sources
from .story_answer import ShownAnswer
from .story_calls import OwnCall, PromptCache
from .story_changes import Group, ShownChange
from .story_head import Head
from .story_messages import Room, Span
from .story_parameters import Parameters, parameters
from .story_sides import Fold, ShownRow, Sides
from .story_time import Bar
from .story_without import Without


class BothSides(TypedDict):
    """What came and what was sent. `came_raw`, `sent_raw`: of a body that is no JSON object, its text."""

    came_format: str
    sent_format: str
    parameters: Parameters
    rows: list[ShownRow | Fold]
    count: int
    came_raw: list[Span]
    sent_raw: list[Span]
    rewritten: bool


class Story(TypedDict):
    """One exchange. `missing`: why bodies aren't there (`content.WhyNot`); `""`: they are."""

    head: Head
    time: Bar
    changes: list[ShownChange]
    observed: bool
    sides: BothSides | None
    missing: str
    answer: ShownAnswer | None
    without: Without
    cache: PromptCache | None
    calls: list[OwnCall]


async def answer(sources: Sources, values: Mapping[str, Any], language: str) -> Response | ProxyError:
    """The story of an exchange. The answer of `/api/exchanges/{id}/story`."""
    kept = sources.exchanges.get(values["id"])
    if kept is None:
        return proxy_errors.ADMIN_NO_SUCH_EXCHANGE()
    told, contents = Told.of(kept), sources.contents

    def work(_: object) -> Response:
        content = contents.get(kept.id) if contents is not None else None
        why: WhyNot = contents.why_not(kept.id) if contents is not None else "off"
        return json_answer(story(told, content, why, language))

    return await sources.workers.run(work, LIGHT)


@dataclass(frozen=True, slots=True)
class Told:
    """What an exchange has told, and when: as it was kept when somebody looked (`Kept`)."""

    summary: JsonObject
    timeline: Sequence[JsonObject]
    paid: Sequence[Paid] = ()
    now: float = 0.0
    """Unix time."""

    @classmethod
    def of(cls, kept: Kept) -> Told:
        """What it has told by now."""
        return cls(kept.summary(), kept.timeline(), kept.paid, time.time())


def story(told: Told, content: Content | None, why: WhyNot, language: str) -> Story:
    """The story of an exchange by what it has told and what it said.

    `why`: why its content, or a part of it, isn't kept. Raises nothing, whatever bodies hold.
    """
    summary = told.summary
    room = Room()
    exchange = Exchange.from_plain(content.exchange) if content is not None else None
    bodies = read(content) if content is not None else None
    rules = summary.get("rules") or (exchange.rules if exchange is not None else [])
    groups = bodies.groups if bodies is not None else []
    changes = story_changes.shown(groups, rules, bodies.sides if bodies else None, language)
    usage = {name: count for name, count in summary.get("usage", {}).items() if type(count) is int}
    return {
        "head": story_head.head(summary, told.timeline, content, language),
        "time": story_time.bar(told.timeline, told.now),
        "changes": changes,
        "observed": summary.get("mode") == "observe",
        "sides": bodies.shown(room) if bodies is not None else None,
        "missing": why if content is None or content.came is None else "",
        "answer": story_answer.answer(content, language, room) if content is not None else None,
        "without": story_without.without(exchange or Exchange(), content.came if content else None, language),
        "cache": story_calls.prompt_cache(exchange, usage),
        "calls": story_calls.calls(exchange, told.paid),
    }


@dataclass(slots=True)
class Bodies:
    """The bodies of an exchange in the shapes of chat, with the places of its changes."""

    exchange: Exchange
    content: Content
    came: JsonObject | None
    sent: JsonObject | None
    came_format: str
    sent_format: str
    sides: Sides
    groups: list[Group]

    def shown(self, room: Room) -> BothSides:
        """Both sides, within bounds."""
        came, sent, content = self.came or {}, self.sent or {}, self.content
        return {
            "came_format": self.came_format,
            "sent_format": self.sent_format,
            "parameters": parameters(came, sent if content.sent is not None else came, self.groups, room),
            "rows": self.sides.shown(room),
            "count": len(self.sides.rows),
            "came_raw": [] if self.came is not None else room.spans((content.came or b"").decode("utf-8", "replace")),
            "sent_raw": room.spans(content.sent.decode("utf-8", "replace"))
            if content.sent and self.sent is None
            else [],
            "rewritten": content.sent is not None and content.sent != content.came,
        }


def read(content: Content) -> Bodies | None:
    """The bodies of an exchange; `None` where what its client sent isn't kept."""
    exchange = Exchange.from_plain(content.exchange)
    if exchange is None or content.came is None:
        return None
    # 1. What was sent; where nothing was, what came stands alone.
    sent_bytes = content.came if content.sent is None else content.sent
    came_format = exchange.spoken or exchange.dialect
    sent_format = _format_of(sent_bytes, exchange, content)
    came = story_messages.as_chat(content.came, came_format)
    sent = came if sent_bytes is content.came else story_messages.as_chat(sent_bytes, sent_format)
    # 2. The messages of both, and where they stand in the bodies.
    sides = Sides(exchange, came or {}, sent or {})
    came_body, sent_body = shorten.parse_object(content.came) or {}, shorten.parse_object(sent_bytes) or {}
    sides.stand(
        story_sides.positions(sides.given, came_body, came_format),
        story_sides.positions(sides.left, sent_body, sent_format),
    )
    # 3. What was changed, and where; descriptions beside images.
    exchange.original, exchange.rewritten = content.came, sent_bytes is not content.came
    groups = story_changes.groups(exchange, places.original_and_final(exchange, sent_bytes))
    story_calls.describe(exchange, sent_bytes, sides.came)
    return Bodies(exchange, content, came, sent, came_format, sent_format, sides, groups)


def _format_of(sent: bytes, exchange: Exchange, content: Content) -> str:
    """The format in which a body was sent: after a fallback it may be another than the profile's."""
    if sent is content.came:
        return exchange.spoken or exchange.dialect
    body = json_body.parse_object(sent) or {}
    if "Messages" in body:
        return "tencent-cloud"
    if "input" in body and "messages" not in body and exchange.dialect != "embeddings":
        return "responses"
    return story_head.sent_format({"profile": exchange.profile}, content) or "chat"
