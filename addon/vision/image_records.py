"""Which images requests had lately, and what became of each: for people who look. In this process's memory, bounded.

A record is of an image with what was asked about it, as results are kept (`cascade`): the same picture under another
question is another record. The picture itself is not here; it is in the request that had it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .. import prices
from ..exchange import Response
from ..images import data
from .descriptions import Description, ImageFailure, ImageKeys, ImageResult
from .record import MOST_PROMPT, CallRecord
from .vision_call import VisionCall, prompt

MOST = 500
"""Records."""
MOST_BYTES = 4 << 20
"""Of all records together, as `_size` estimates them."""
MOST_OF_ONE = 100
"""Images of one request that are noted, its newest: it may have any number, and other clients wait meanwhile."""
MOST_EXCHANGES = 20
"""Requests that one record lists, the latest."""
_MOST_MODELS = 50
_OVERHEAD = 1000
"""Bytes of a record without its texts and its list of requests."""
_EACH_EXCHANGE = 150


@dataclass(slots=True)
class ImageRecord:
    """An image, and what is known of it. Times are Unix time in seconds; what isn't known is `""`, 0 or `None`."""

    keys: ImageKeys
    is_remote: bool
    """Its request names it by an http(s) URL."""
    first: float
    last: float
    model: str
    profile: str
    base_url: str
    elsewhere: bool
    """It is described at `hunyuan_vision_upstream`."""
    language: str
    question: str
    """What stood beside it, as the vision model is asked about it."""
    prompt: str
    outcome: str = ""
    """`described`, the reason of a failure (`Texts.image_reasons`), `error`, or `""`: it was not asked about yet."""
    description: str = ""
    hits: int = 0
    """Requests for which it was known already, or another request's call was under way."""
    calls: int = 0
    """Calls that were made for it."""
    called: float = 0.0
    """When the last of them ended."""
    ms: float = 0.0
    """Of the last call, with waits for a slot and between tries."""
    tries: int = 0
    """Of the last call."""
    status: int | None = None
    """Of its last answer."""
    tokens: dict[str, int] = field(default_factory=dict)
    """Of all calls, by kind."""
    cost: dict[str, int] = field(default_factory=dict)
    """Of all calls by currency, in parts (`prices.UNITS` to one): of those whose price is known."""
    error: Response | None = None
    """The error that the last call ended with, which clients got."""
    exchanges: dict[str, None] = field(default_factory=dict)
    """The ids of the requests that had it, the latest last."""


@dataclass(slots=True)
class Unchanged:
    """Images that went on as they came, to a model that can see them."""

    requests: int = 0
    images: int = 0
    models: dict[str, int] = field(default_factory=dict)
    """Model -> requests."""
    last: dict[str, None] = field(default_factory=dict)
    """The ids of the latest requests, the last one last."""


class ImageRecords:
    """The records, by the keys of results. On the event loop only. `clock`: Unix time.

    Nothing is kept until `configure` has said that somebody may look.
    """

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES, clock: Callable[[], float] = time.time) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._clock = clock
        self._kept: dict[bytes, ImageRecord] = {}
        """The latest seen last."""
        self._sizes: dict[bytes, int] = {}
        self._bytes = 0
        self._is_on = False
        self._with_content = True
        self.unchanged = Unchanged()

    def configure(self, *, is_on: bool, with_content: bool) -> None:
        """Whether anything is kept, and whether texts are. What may no longer be kept is dropped."""
        if not is_on:
            self._kept.clear()
            self._sizes.clear()
            self._bytes = 0
            self.unchanged = Unchanged()
        self._is_on, self._with_content = is_on, with_content
        if not with_content:
            for record in self._kept.values():
                record.question = record.prompt = record.description = ""
                self._measure(record)

    @property
    def is_on(self) -> bool:
        """Whether anything is kept."""
        return self._is_on

    @property
    def with_content(self) -> bool:
        """Whether texts are kept."""
        return self._with_content

    @property
    def size(self) -> int:
        """Bytes that are taken, about."""
        return self._bytes

    def __len__(self) -> int:
        """How many there are."""
        return len(self._kept)

    def newest(self) -> Iterator[ImageRecord]:
        """All, that which was seen last first."""
        return reversed(self._kept.values())

    def get(self, key: bytes) -> ImageRecord | None:
        """The record of the image whose result has this key."""
        return self._kept.get(key)

    def forget(self, key: bytes) -> None:
        """Drop the record with this key, if there is one."""
        if self._kept.pop(key, None) is not None:
            self._bytes -= self._sizes.pop(key)

    def called(self, call: VisionCall, result: ImageResult | Response) -> None:
        """`call` is over, with this result."""
        if not self._is_on or call.keys is None:
            return
        record = self._record(call.keys, call, is_remote=data.is_remote(call.url))
        made: CallRecord = call.record
        record.calls += 1
        record.called = record.last
        record.ms, record.tries, record.status = made.ms, made.tries, made.status
        for kind, count in made.tokens.items():
            record.tokens[kind] = record.tokens.get(kind, 0) + count
        host = urlsplit(call.target.base_url).hostname or ""
        if cost := prices.cost(call.profile, call.model, host, made.tokens) if made.tokens else None:
            record.cost[cost.currency] = record.cost.get(cost.currency, 0) + cost.amount
        _came_to(record, result, with_content=self._with_content)
        self._keep(record)

    def seen(self, call: VisionCall, source: str, *, exchange: str, how: str, result: ImageResult | None) -> None:
        """The request `exchange` had the image `source`; `how` its result was found (`vision.record`).

        `call`: what would be asked about it.
        """
        if not self._is_on or call.keys is None:
            return
        record = self._record(call.keys, call, is_remote=data.is_remote(source))
        if how in ("known", "shared") and exchange not in record.exchanges:
            record.hits += 1
        if result is not None:
            _came_to(record, result, with_content=self._with_content)
        record.exchanges.pop(exchange, None)
        record.exchanges[exchange] = None
        while len(record.exchanges) > MOST_EXCHANGES:
            del record.exchanges[next(iter(record.exchanges))]
        self._keep(record)

    def went_unchanged(self, exchange: str, model: str, images: int) -> None:
        """The request `exchange` goes to `model`, which can see, with so many images as they came."""
        if not self._is_on or not images:
            return
        told = self.unchanged
        if exchange in told.last:
            return
        told.requests += 1
        told.images += images
        if model in told.models or len(told.models) < _MOST_MODELS:
            told.models[model] = told.models.get(model, 0) + 1
        told.last[exchange] = None
        while len(told.last) > MOST_EXCHANGES:
            del told.last[next(iter(told.last))]

    def _record(self, keys: ImageKeys, call: VisionCall, *, is_remote: bool) -> ImageRecord:
        """The record of this image, taken out of what is kept; a new one if there is none."""
        now = self._clock()
        record = self._kept.pop(keys.result, None)
        if record is None:
            return ImageRecord(
                keys=keys,
                is_remote=is_remote,
                first=now,
                last=now,
                model=call.model,
                profile=call.profile.name,
                base_url=call.target.base_url,
                elsewhere=call.elsewhere,
                language=call.texts.language,
                question=call.question if self._with_content else "",
                prompt=prompt(call.texts, call.question)[:MOST_PROMPT] if self._with_content else "",
            )
        self._bytes -= self._sizes.pop(keys.result)
        record.last = now
        return record

    def _keep(self, record: ImageRecord) -> None:
        self._kept[record.keys.result] = record
        self._sizes[record.keys.result] = _size(record)
        self._bytes += self._sizes[record.keys.result]
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            oldest = next(iter(self._kept))
            if oldest == record.keys.result and len(self._kept) == 1:
                break
            self.forget(oldest)

    def _measure(self, record: ImageRecord) -> None:
        self._bytes -= self._sizes[record.keys.result]
        self._sizes[record.keys.result] = _size(record)
        self._bytes += self._sizes[record.keys.result]


def _came_to(record: ImageRecord, result: ImageResult | Response, *, with_content: bool) -> None:
    record.error = None
    match result:
        case Description(text):
            record.outcome, record.description = "described", text if with_content else ""
        case ImageFailure(reason):
            record.outcome, record.description = reason, ""
        case Response():
            record.outcome, record.description, record.error = "error", "", result


def _size(record: ImageRecord) -> int:
    """Bytes that a record takes in memory, about."""
    texts = len(record.question) + len(record.prompt) + len(record.description)
    return _OVERHEAD + 2 * texts + _EACH_EXCHANGE * len(record.exchanges)
