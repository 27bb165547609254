"""One more try for a request that its endpoint has refused: mended by what the error says, or translated to chat.

The relay asks for it before the client has got anything, and the client gets the first error if it doesn't help. To
mend a request is to run the steps that look at the model's data again, over the body that was sent, with what the
error has taught laid over that data. What helped is learnt (`mending.learnt`).
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from mitmproxy import http

from .. import events, profiles
from ..answers.translated import upstream_of
from ..dialects import DIALECTS, NATIVE, format_of
from ..dialects.base import BadRequest
from ..exchange import AnswerPlan, Change, Exchange, JsonObject
from ..mending import facade, reading
from ..mending.learnt import Place, Taught
from ..mending.reading import Reading, Sent
from ..options import Settings
from ..pipeline import Pipeline
from ..relay import Mended
from ..runtime import Runtime
from ..texts.terminal import say
from ..upstream.circuit_breaker import host
from ..wire import content_coding, json_body, rule_names, safe_text, vendor_errors
from ..wire.content_coding import CodingError, TooLarge
from ..workers import Checkpoint
from . import keep_content, snapshot
from .sent_headers import sent_body, set_headers

logger = logging.getLogger("hunyuan_fix")

_NO_MODEL: JsonObject = {"models": []}
"""The overlay of a format that the model doesn't speak: its requests are translated from then on."""
_MOST_READINGS = 3
"""Readings of one error that are looked at."""
_PLAIN = frozenset({"model", "messages", "stream", "stream_options"})
"""What no error has to be about."""
_FORMAT = "format"
"""What is wrong where the whole format is refused, as counts name it."""


async def observe(
    request: http.Request, response: http.Response, exchange: Exchange, settings: Settings, runtime: Runtime
) -> None:
    """Name in `exchange` what would be mended of `request`, which `response` may refuse. Raises nothing."""
    profile = profiles.load(exchange.profile)
    if response.status_code not in reading.STATUSES or settings.mend == "off" or not profile.mends:
        return

    def read(_: Checkpoint) -> Reading | None:
        codings = [message.headers.get("content-encoding", "") for message in (request, response)]
        sent, error = (
            content_coding.unpack(message.raw_content or b"", coding, settings.max_body)
            for message, coding in zip((request, response), codings, strict=True)
        )
        body = json_body.parse_object(sent)
        if body is None:
            return None
        format_ = reading.CHAT if DIALECTS[exchange.dialect].house != "native" else exchange.spoken
        return reading.read(response.status_code, error, Sent(body, profile.model(body.get("model")), format_))

    try:
        found = await runtime.workers.run(read, len(request.raw_content or b""))
    except (CodingError, TooLarge):
        return
    if found is not None:
        exchange.note([Change(rule_names.MENDED, "", f"the endpoint refused it: {found.reason}; would be sent again")])
        exchange.warning = exchange.warning or f"would be mended and sent once more: {found.reason}"


def _is_plain(body: JsonObject) -> bool:
    """Whether a chat request has nothing that an error could teach of: no parameters, no tools, no earlier answers."""
    messages = body.get("messages")
    return body.keys() <= _PLAIN and not any(
        isinstance(message, dict) and message.get("role") == "assistant"
        for message in (messages if isinstance(messages, list) else ())
    )


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A try that is about to be made: what was read, where that is learnt, and the exchange as it was before."""

    found: Reading
    place: Place
    before: JsonObject


class MendedTry:
    """What one exchange needs for one more try. `mend` is what the relay calls, at most once."""

    def __init__(
        self, flow: http.HTTPFlow, exchange: Exchange, pipeline: Pipeline, settings: Settings, runtime: Runtime
    ) -> None:
        self._flow = flow
        self._exchange = exchange
        self._pipeline = pipeline
        self._settings = settings
        self._runtime = runtime
        self._taught = exchange.taught = Taught(runtime.learnt, exchange.profile, host(exchange.base_url))
        self._model = ""
        """As the body that was sent names it."""
        self._is_plain = False
        """Nothing in it could be mended."""
        self._came: bytes | None = None
        """The body that came, as far as it is needed to translate it; `None` where it can't be translated."""
        self._chat = b""
        """The request in the house language, where it was sent in another format."""

    async def sent(self, came: bytes, body: JsonObject) -> None:
        """Note what is sent: `body`, in the house language or the client's own. `came`: the body that came, as JSON."""
        self._model = str(body.get("model") or "")
        self._is_plain = _is_plain(body) and not self._exchange.plan.usage_hidden
        if not self.is_wanted():
            return
        if self._exchange.dialect in NATIVE and self._settings.translate == "auto":
            self._came = came
        if not upstream_of(self._exchange).is_house:
            workers, cost = self._runtime.workers, self._exchange.cost // 4
            self._chat = await workers.run(lambda _: json_body.serialise(body), cost)

    def is_wanted(self) -> bool:
        """Whether the request goes by the relay, so that it can be sent once more: its endpoint may refuse it.

        That are requests to thinking models and to those that nothing is known of, where their profile says so, but for
        those in which nothing could be mended; and all in a format that may be translated instead.
        """
        exchange, settings = self._exchange, self._settings
        profile = profiles.load(exchange.profile)
        if settings.mend == "off" or exchange.mode != "repair" or not profile.mends or not self._model:
            return False
        if exchange.dialect in NATIVE:
            return True
        if DIALECTS[exchange.dialect].house != "chat" or self._is_plain:
            return False
        thinks = profile.model(self._model).thinking is not None
        return thinks or self._model not in profile.models or settings.retry == "all"

    async def mend(self, status: int, error: bytes) -> Mended | None:
        """The request for one more try, once its endpoint has refused it; `None` where nothing is certain.

        The exchange is changed by then, for the answer; `Mended.ended` takes that back where it didn't help.
        """
        exchange, before, began = self._exchange, snapshot.take(self._exchange), time.perf_counter()
        place = self._taught.place(self._model, format_of(exchange))
        try:
            mended = await self._by_what_it_says(status, error, place)
            return mended or await self._translated(status, error, place)
        except BaseException:
            self._restore(before)
            raise
        finally:
            exchange.chat = {}
            exchange.milliseconds += 1000 * (time.perf_counter() - began)

    # What the error says

    async def _by_what_it_says(self, status: int, error: bytes, place: Place) -> Mended | None:
        """The request, changed for what is read in the error. Where that changes nothing, the next reading counts."""
        if status not in reading.STATUSES or vendor_errors.is_refusal_of_content(error):
            return None
        exchange, raw = self._exchange, self._flow.request.raw_content or b""
        sent = self._chat or raw
        tried = set(self._runtime.learnt.avoided(place))
        for _ in range(_MOST_READINGS):
            body = await self._runtime.workers.run(lambda _: json_body.parse_object(sent), len(sent) // 2)
            found = None if body is None else reading.read(status, error, self._sent(body), tried)
            if body is None or found is None:
                return None
            before = snapshot.take(self._exchange)
            exchange.chat = body
            # Compared as it would be sent: the client's own bytes may be spelt in another way.
            plain = raw if self._chat else await self._as_sent()
            data = await self._again(found)
            request = self._flow.request.copy()
            set_headers(request, exchange, self._model)
            if data != plain or request.headers.fields != self._flow.request.headers.fields:
                return self._ready(_Attempt(found, place, before), request, data)
            self._restore(before)
            tried.add(found.said)
        return None

    def _sent(self, body: JsonObject) -> Sent:
        known = profiles.load(self._exchange.profile).model(self._model)
        format_ = format_of(self._exchange)
        return Sent(body, self._taught.model(known, format_), format_)

    async def _again(self, found: Reading) -> bytes:
        """The body in `exchange.chat` after the steps that look at the model's data."""
        self._taught.trial = found
        why = f"the endpoint refused it: {found.reason}; mended and sent once more"
        self._exchange.note([Change(rule_names.MENDED, "", why)])
        await self._pipeline.again(self._exchange)
        noted = self._exchange.noted()
        data = await self._as_sent()
        self._exchange.forget(noted)  # what the upstream's format has no place for is noted by now
        return data

    # The whole format

    async def _translated(self, status: int, error: bytes, place: Place) -> Mended | None:
        """The request as chat, where an endpoint that is said to speak the client's format refuses it."""
        exchange, profile = self._exchange, profiles.load(self._exchange.profile)
        learns = not facade.is_of_the_history(error)
        found = Reading(_FORMAT, f"its own format isn't taken (HTTP {status})", {}, _NO_MODEL, learns=learns)
        came = self._came
        if came is None or found.said in self._runtime.learnt.avoided(place):
            return None
        if not facade.may_help(status, error, profile, self._model):
            return None
        before = snapshot.take(self._exchange)
        body = await self._runtime.workers.run(lambda _: json_body.parse_object(came), len(came) // 2)
        if body is None or not await self._through_as_chat(body, found):
            self._restore(before)
            return None
        data = await self._as_sent()
        request = self._flow.request.copy()
        set_headers(request, exchange, self._model)
        return self._ready(_Attempt(found, place, before), request, data)

    async def _through_as_chat(self, body: JsonObject, found: Reading) -> bool:
        """Take the body that came through all steps for chat. Whether there is a request to send."""
        exchange = self._exchange
        self._taught.trial = None
        exchange.dialect, exchange.plan, exchange.demands = exchange.spoken, AnswerPlan(), None
        exchange.may_hold_images = True
        why = f"the endpoint refused it: {found.reason}; translated to chat and sent once more"
        exchange.note([Change(rule_names.MENDED, "", why)])
        try:
            answer = await self._pipeline.translate(exchange, body, self._flow.request.headers)
            answer = answer or await self._pipeline.request(exchange)
        except BadRequest:
            return False
        exchange.streamed = exchange.chat.get("stream") is True
        return answer is None

    # Before and after

    def _ready(self, attempt: _Attempt, request: http.Request, data: bytes) -> Mended:
        """What is sent: the body `data` to the address of `request`, with its headers."""
        exchange, found, place = self._exchange, attempt.found, attempt.place
        request.content = data
        sent = self._flow.request.raw_content or b""
        if not exchange.rewritten and len(sent) <= self._settings.keep_original:
            exchange.original = sent
        if exchange.page is not None and not exchange.rewritten:
            coding = self._flow.request.headers.get("content-encoding", "")
            keep_content.came(exchange, sent, self._runtime.contents, self._settings.keep_original, coding)
        exchange.rewritten = True
        model = safe_text.plain(place.model)
        logger.info(
            "%s",
            say(
                "{host} refused a request to {model}: {why}; mended, it is sent once more",
                host=place.host,
                model=model,
                why=found.reason,
            ),
        )

        def ended(status: int) -> None:
            helped = 200 <= status < 400
            outcome = "helped" if helped else "failed"
            exchange.tell(events.MENDED, reason=found.kind, outcome=outcome)
            if helped:
                self._flow.request.headers, self._flow.request.path = request.headers, request.path
                self._flow.request.raw_content = data
                if found.learns:
                    self._runtime.learnt.keep(place, found)
                return
            self._restore(attempt.before)
            if status in reading.STATUSES | facade.NO_PATH:
                self._runtime.learnt.avoid(place, found.said)

        return Mended(
            url=request.url,
            headers=request.headers.fields,
            body=data,
            native=exchange.dialect if exchange.dialect in NATIVE else "",
            note=exchange.notes.get(upstream_of(exchange).name, {}),
            ended=ended,
        )

    async def _as_sent(self) -> bytes:
        exchange, settings = self._exchange, self._settings
        return await self._runtime.workers.run(
            lambda _: json_body.serialise(sent_body(exchange, settings)), exchange.cost // 4
        )

    def _restore(self, before: JsonObject) -> None:
        self._taught.trial = None
        snapshot.put_back(self._exchange, before)
