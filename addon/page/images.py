"""The images that requests had lately, for the page: what the vision model said of each, what it cost, who had it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, TypedDict

from .. import texts
from ..exchange import Response
from ..observe.admin.route import json_answer
from ..texts.sentence import Sentence, in_language
from ..vision.descriptions import ImageKeys
from ..vision.image_records import ImageRecord
from ..wire import json_body, proxy_errors
from ..wire.openai_error import ProxyError, response_in
from ..workers import LIGHT
from . import describing, pictures, sent_images
from .sources import Running, Sources

_SHOWN = 300
"""Characters of a description in the list."""
USUAL = 60
"""Images that are listed where the request doesn't say how many."""
_MOST_IDS = 5
"""Requests that the list names for one image."""
_NO_KEY = Sentence("The proxy has no key of its own for this endpoint, and a client's key is never kept.")
_NO_PICTURE = Sentence("The request that had the image is no longer kept.")


class ImageRow(TypedDict):
    """An image. Times are Unix time; what isn't known is `""`, 0, `None` or empty."""

    key: str
    any: str
    """The key of a description for any question: `delete` needs it."""
    first: float
    last: float
    model: str
    upstream: str
    outcome: str
    """`described`, `failed`, or `none`: it was not asked about yet."""
    why: str
    """Of a failure, in words."""
    status: int | None
    description: str
    """Its beginning in the list."""
    is_whole: bool
    prompt: str
    """`""` in the list."""
    hits: int
    calls: int
    called: float
    ms: float
    tries: int
    tokens: dict[str, int]
    cost: dict[str, int]
    exchanges: list[str]
    """Ids of the last requests that had it, the newest first."""
    picture: pictures.Where
    can_ask: bool
    """It can be described again now."""


class Unchanged(TypedDict):
    """Images that went as they came to models that can see them."""

    requests: int
    images: int
    models: dict[str, int]
    exchanges: list[str]


class ImagesBody(TypedDict):
    """The answer of `GET /api/images`."""

    images: list[ImageRow]
    count: int
    """Of all that are kept."""
    unchanged: Unchanged
    content: bool
    """Whether texts are kept (`hunyuan_page_content`)."""


class Deleted(TypedDict):
    """The answer to a deletion."""

    key: str
    waiting: list[str]
    """Stores that fail just now: they forget it as soon as they work again."""


class DescribedAgain(TypedDict):
    """The answer to a description that somebody asked for."""

    image: ImageRow | None
    asked: bool
    """A call was made."""
    why: str
    """Why there is no new description, in words."""


def listing(sources: Sources, values: Mapping[str, Any], language: str) -> Response | ProxyError:
    """All images, that which was seen last first."""
    if sources.running is None:
        return proxy_errors.ADMIN_NO_SUCH_PATH()
    records, running = sources.running.cascade.images, sources.running
    kept = set(sources.contents.ids()) if sources.contents is not None else set[str]()
    rows = [_row(one, sources, running, kept, language) for one in islice(records.newest(), values.get("limit", USUAL))]
    told = records.unchanged
    return json_answer(
        ImagesBody(
            images=rows,
            count=len(records),
            unchanged={
                "requests": told.requests,
                "images": told.images,
                "models": dict(told.models),
                "exchanges": list(reversed(told.last))[:_MOST_IDS],
            },
            content=records.with_content,
        )
    )


def merged(bodies: Iterable[ImagesBody], limit: int) -> ImagesBody:
    """What several workers answer, as one: an image that more than one of them had has the sum of their counts."""
    rows: dict[str, ImageRow] = {}
    whole: ImagesBody = {
        "images": [],
        "count": 0,
        "unchanged": {"requests": 0, "images": 0, "models": {}, "exchanges": []},
        "content": False,
    }
    for body in bodies:
        whole["content"] |= body["content"]
        _add_unchanged(whole["unchanged"], body["unchanged"])
        whole["count"] = max(whole["count"], body["count"])
        for row in body["images"]:
            known = rows.get(row["key"])
            rows[row["key"]] = row if known is None else both(known, row)
    whole["images"] = sorted(rows.values(), key=lambda row: row["last"], reverse=True)[:limit]
    whole["count"] = max(whole["count"], len(rows))
    return whole


def both(one: ImageRow, other: ImageRow) -> ImageRow:
    """One image that two workers had. What was said of it last counts."""
    later, earlier = (one, other) if one["last"] >= other["last"] else (other, one)
    called = max(one, other, key=lambda row: row["called"])
    return {
        **later,
        "first": min(one["first"], other["first"]),
        "hits": one["hits"] + other["hits"],
        "calls": one["calls"] + other["calls"],
        "called": called["called"],
        "ms": called["ms"],
        "tries": called["tries"],
        "status": called["status"],
        "tokens": _sum(one["tokens"], other["tokens"]),
        "cost": _sum(one["cost"], other["cost"]),
        "exchanges": list(dict.fromkeys([*later["exchanges"], *earlier["exchanges"]]))[:_MOST_IDS],
        "picture": "kept" if "kept" in (one["picture"], other["picture"]) else later["picture"],
        "can_ask": one["can_ask"] or other["can_ask"],
    }


def one(sources: Sources, values: Mapping[str, Any], language: str) -> Response | ProxyError:
    """One image, with its whole description and what was asked."""
    found = _found(sources, values)
    if found is None:
        return proxy_errors.ADMIN_IMAGE_NOT_KEPT()
    record, running = found
    return json_answer(_whole_row(record, sources, running, language))


async def picture(sources: Sources, values: Mapping[str, Any], language: str) -> Response | ProxyError:
    """The picture itself, from a request that is kept."""
    found = _found(sources, values)
    contents = sources.contents
    if found is None or contents is None:
        return proxy_errors.ADMIN_IMAGE_NOT_KEPT()
    record, _ = found

    def read() -> Response | None:
        source = pictures.source(record, contents)
        return None if source is None else sent_images.answer_with(source)

    return await sources.workers.run(lambda _: read(), LIGHT) or proxy_errors.ADMIN_IMAGE_NOT_KEPT()


async def delete(sources: Sources, values: Mapping[str, Any], language: str) -> Response | ProxyError:
    """Forget the description of an image, in this process and all stores."""
    if sources.running is None:
        return proxy_errors.ADMIN_NO_SUCH_PATH()
    running = sources.running
    running.cascade.forget(ImageKeys(bytes.fromhex(values["key"]), bytes.fromhex(values["any"]), b""))
    return json_answer(Deleted(key=values["key"], waiting=await _waiting(running)))


def drop(sources: Sources, values: Mapping[str, Any], language: str) -> Response | ProxyError:
    """Forget the description of an image in this process's memory alone: another worker has put a new one below."""
    if sources.running is None:
        return proxy_errors.ADMIN_NO_SUCH_PATH()
    running, keys = sources.running, ImageKeys(bytes.fromhex(values["key"]), bytes.fromhex(values["any"]), b"")
    running.cascade.known.kept.drop(keys.result)
    running.cascade.known.kept.drop(keys.of_any_question)
    return json_answer(Deleted(key=values["key"], waiting=[]))


async def describe_again(sources: Sources, values: Mapping[str, Any], language: str) -> Response | ProxyError:
    """Forget the description of an image, and have it described once more where that can be."""
    found, contents = _found(sources, values), sources.contents
    if found is None:
        return proxy_errors.ADMIN_IMAGE_NOT_KEPT()
    record, running = found
    if not describing.can(record, running):
        return json_answer(DescribedAgain(image=None, asked=False, why=in_language(language, _NO_KEY)))
    source = None
    if contents is not None and contents.is_on:
        source = await sources.workers.run(lambda _: pictures.source(record, contents), LIGHT)
    if source is None:
        return json_answer(DescribedAgain(image=None, asked=False, why=in_language(language, _NO_PICTURE)))
    result = await describing.again(record, source, running)
    await running.chain.written()  # before another worker is asked for it
    now = running.cascade.images.get(record.keys.result) or record
    row = _whole_row(now, sources, running, language)
    return json_answer(DescribedAgain(image=row, asked=result is not None, why=row["why"]))


def _found(sources: Sources, values: Mapping[str, Any]) -> tuple[ImageRecord, Running] | None:
    if sources.running is None:
        return None
    record = sources.running.cascade.images.get(bytes.fromhex(values["key"]))
    return None if record is None else (record, sources.running)


async def _waiting(running: Running) -> list[str]:
    """The stores that have not made their waiting writes within the time that a request may wait for them."""
    await running.chain.written()
    return [level.name for level in running.chain.counts() if level.waiting]


def _whole_row(record: ImageRecord, sources: Sources, running: Running, language: str) -> ImageRow:
    kept = set(sources.contents.ids()) if sources.contents is not None else set[str]()
    row = _row(record, sources, running, kept, language)
    return {
        **row,
        "description": record.description,
        "is_whole": True,
        "prompt": record.prompt,
        "exchanges": list(reversed(record.exchanges)),
    }


def _row(record: ImageRecord, sources: Sources, running: Running, kept: set[str], language: str) -> ImageRow:
    where = pictures.where(record, sources.contents, kept)
    outcome = {"": "none", "described": "described"}.get(record.outcome, "failed")
    return {
        "key": record.keys.result.hex(),
        "any": record.keys.of_any_question.hex(),
        "first": record.first,
        "last": record.last,
        "model": record.model,
        "upstream": record.base_url,
        "outcome": outcome,
        "why": _why(record, language) if outcome == "failed" else "",
        "status": record.status,
        "description": record.description[:_SHOWN],
        "is_whole": len(record.description) <= _SHOWN,
        "prompt": "",
        "hits": record.hits,
        "calls": record.calls,
        "called": record.called,
        "ms": round(record.ms, 1),
        "tries": record.tries,
        "tokens": dict(record.tokens),
        "cost": dict(record.cost),
        "exchanges": list(islice(reversed(record.exchanges), _MOST_IDS)),
        "picture": where,
        "can_ask": where in ("kept", "remote") and describing.can(record, running),
    }


def _why(record: ImageRecord, language: str) -> str:
    """Why there is no description, in words."""
    if record.error is not None:
        body = json_body.parse_object(response_in(language, record.error).body) or {}
        error = body.get("error")
        return str(error.get("message") if isinstance(error, dict) else record.error.status)
    return texts.load(language).image_reasons.get(record.outcome, record.outcome)


def _add_unchanged(whole: Unchanged, part: Unchanged) -> None:
    whole["requests"] += part["requests"]
    whole["images"] += part["images"]
    whole["models"] = _sum(whole["models"], part["models"])
    whole["exchanges"] = [*whole["exchanges"], *part["exchanges"]][:_MOST_IDS]


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}
