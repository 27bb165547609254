"""Which model answers, and with which settings, by who asks and what for (`hunyuan_model_map`)."""

from __future__ import annotations

from dataclasses import replace

from .. import dialects
from ..exchange import Changes, Exchange, JsonObject, Response
from ..model_map import applied
from ..model_map.choosing import Asked, Chosen, chosen
from ..model_map.kinds import kind_of
from ..model_map.row import Row
from ..options import Settings
from ..rules import model_names, places
from ..wire import rule_names
from .base import Step
from .native_fields import native_of

_EFFORT_FIELDS = frozenset(["output_config", "output_config/effort"])


def note_kind(exchange: Exchange, body: JsonObject) -> None:
    """Note which kind of call a request is that has just come: `body` is as its client sent it."""
    house = dialects.DIALECTS[exchange.dialect].house
    if house != "kept" and not exchange.kind:
        embeddings, counts = house == "embeddings", house == "count"
        exchange.kind = kind_of(exchange.headers, exchange.program, body, embeddings=embeddings, counts=counts)


def choose(exchange: Exchange, settings: Settings, body: JsonObject) -> None:
    """Find the row for a request that has just come: `body` is as its client sent it, and its kind is noted.

    Before anything else: the row's model decides whether the endpoint speaks the format of the request.
    """
    if dialects.DIALECTS[exchange.dialect].house == "kept":
        return
    asked = Asked(
        client=exchange.client,
        program=exchange.program,
        path=exchange.path,
        tag=exchange.tag,
        kind=exchange.kind,
        model=model_names.names_of(body.get("model")),
    )
    exchange.mapped = chosen(settings.model_map, asked)


def row_of(exchange: Exchange) -> Row | None:
    """The row that was chosen for the request."""
    return exchange.mapped.row if isinstance(exchange.mapped, Chosen) else None


class ModelMap(Step):
    """Before the steps that look at the model: they see the one that answers.

    A plug-in's step before it may have set `exchange.tag`: then the row is chosen anew.
    """

    name = applied.NAME
    names_model = True

    async def request(self, exchange: Exchange) -> Response | None:
        """Put the model and the settings of the row into the request."""
        mapped = exchange.mapped
        if not isinstance(mapped, Chosen):
            return None
        if mapped.asked.tag != exchange.tag:
            exchange.mapped = mapped = chosen(self.settings.model_map, replace(mapped.asked, tag=exchange.tag))
        if mapped.row is not None:
            self._apply(exchange, mapped.row)
        return None

    def _apply(self, exchange: Exchange, row: Row) -> None:
        body = exchange.chat
        exchange.note(applied.model(body, row))
        match exchange.dialect:
            case rule_names.ANTHROPIC_NATIVE:
                takes_effort = _EFFORT_FIELDS.isdisjoint(native_of(exchange, str(body.get("model"))).refused)
                exchange.note(applied.in_messages(body, row, takes_effort=takes_effort))
            case rule_names.RESPONSES_NATIVE:
                exchange.note(applied.in_responses(body, row))
            case _ if dialects.DIALECTS[exchange.dialect].house != "embeddings":
                before, first = body.get("messages"), exchange.change_count
                changes = Changes(applied.in_chat(body, row))
                exchange.note(changes)
                if isinstance(before, list) and body["messages"] is not before:
                    track = places.Track(exchange.notes.get(places.NAME))
                    track.follow(before, body["messages"], changes)
                    if moved := track.note(first):
                        exchange.notes[places.NAME] = moved
