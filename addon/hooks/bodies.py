"""A request's body on its way through: read, translated, repaired, written, dispatched.

A flow is changed only when everything that can fail is done: a request leaves repaired, or byte for byte unchanged.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, replace

from mitmproxy import http

from .. import events, pipeline, profiles, session, texts
from ..answers import given_again, whole_body
from ..answers.translated import NO_STEPS
from ..config.option import part
from ..dialects import DIALECTS, SIGNED
from ..dialects.base import BadRequest
from ..exchange import Exchange, JsonObject, Response, printable
from ..fallbacks.places import Places
from ..observe.traces import spans
from ..options import Settings
from ..pipeline import Pipeline
from ..route import RouteSettings
from ..runtime import Runtime
from ..steps import mask
from ..texts.terminal import say
from ..wire import answer_facts, json_body, proxy_errors, safe_text
from . import asked_usage, keep_content, request_body, signed_clients, trace_headers
from .dispatch import Dispatcher
from .draining import Draining
from .fallback import Fallback
from .mended_try import MendedTry
from .request_body import Body
from .respond import respond
from .sent_headers import is_translated, sent_body, set_headers
from .sign import sign

logger = logging.getLogger("hunyuan_fix")


@dataclass(frozen=True, slots=True)
class _FurtherTries:
    """What may become of a request that its endpoint doesn't answer."""

    mending: MendedTry
    fallback: Fallback | None

    async def sent(self, came: Body, body: JsonObject) -> None:
        """Note what is sent, as `MendedTry.sent` does, and what came."""
        await self.mending.sent(came.data, body)
        if self.fallback is not None:
            self.fallback.sent(came)


class Bodies:
    """Takes requests through the pipeline, under one set of options."""

    def __init__(
        self, settings: Settings, runtime: Runtime, dispatcher: Dispatcher, draining: Draining, steps: Pipeline
    ) -> None:
        self._settings = settings
        self._runtime = runtime
        self._dispatcher = dispatcher
        self._draining = draining
        self._pipeline = steps
        self._places = Places(part(settings, RouteSettings)) if settings.fallbacks else None
        """Where fallbacks are; `None`: there are none."""

    async def request(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """Repair the request of `flow` and let it leave when its account has room, or answer it.

        Raises nothing. Cancelled, it answers too: nothing unfinished goes on.
        """
        arrived = time.monotonic()
        further = self._further(flow, exchange)
        try:
            response = await self._repaired(flow.request, exchange, further)
            if response is not None and exchange.mode == "observe" and not exchange.is_over_budget:
                exchange.warn(f"would be answered with {response.status} by the proxy")
                response = None
            if response is None and self._settings.answer_cache == "replay":
                response = proxy_errors.NOT_SENT().response()
            # What is asked for by id passes under `observe`, without a slot: it calls no model.
            if response is None and DIALECTS[exchange.dialect].house != "kept":
                response = await self._dispatched(flow, exchange, arrived, further)
            if response is None and not self._dispatcher.is_relayed(flow):  # the relay signs each try
                traced = trace_headers.put_on(flow.request, exchange)
                response = sign(flow.request, exchange, self._runtime.clocks)
                if response is None:
                    exchange.sent_to = flow.request.host
                    exchange.tell(
                        events.SENT,
                        upstream=flow.request.host,
                        port=flow.request.port,
                        scheme=flow.request.scheme,
                        method=flow.request.method,
                        path=flow.request.path.partition("?")[0],
                        model=exchange.sent_model or exchange.model,
                        bytes=len(flow.request.raw_content or b""),
                        waited_ms=exchange.queued,
                        **traced,
                    )
        except asyncio.CancelledError:
            # The client has left and gets nothing; or the process ends, and the request waited for its turn.
            exchange.left = not self._draining.begun
            response = (
                proxy_errors.STOPPED if self._draining.begun else proxy_errors.IMAGE_CASCADE_FAILED
            )().response()
        if response is not None:
            respond(flow, exchange, response)

    def _further(self, flow: http.HTTPFlow, exchange: Exchange) -> _FurtherTries:
        settings, runtime, places = self._settings, self._runtime, self._places
        mending = MendedTry(flow, exchange, self._pipeline, settings, runtime)
        if places is None or exchange.stays:
            return _FurtherTries(mending, None)
        return _FurtherTries(mending, Fallback(flow, exchange, self._pipeline, settings, runtime, places=places))

    async def _dispatched(
        self, flow: http.HTTPFlow, exchange: Exchange, arrived: float, further: _FurtherTries
    ) -> Response | None:
        started = time.perf_counter()
        mend = further.mending.mend if further.mending.is_wanted() else None
        fallbacks = further.fallback if further.fallback is not None and further.fallback.is_left else None
        try:
            return await self._dispatcher.dispatch(
                flow, exchange, self._settings, arrived=arrived, mend=mend, fallbacks=fallbacks
            )
        except Exception as error:
            self._runtime.failed("A request could not be queued and goes on at once", error)
            return None
        finally:
            exchange.queued = (time.perf_counter() - started) * 1000

    async def _repaired(self, request: http.Request, exchange: Exchange, further: _FurtherTries) -> Response | None:
        started = time.perf_counter()
        noted, masks = exchange.noted(), mask.is_wanted(exchange, self._settings)
        try:
            response = None
            if exchange.dialect in SIGNED:
                response = await signed_clients.checked(request, exchange, self._runtime)
            response = response or await self._through(request, exchange, further)
            if response is not None and response.status >= 400 and exchange.mode != "observe":
                exchange.forget(noted)
            return response
        except BadRequest as error:
            return proxy_errors.UNTRANSLATABLE(why=error.message, param=error.param).response()
        except Exception as error:
            exchange.forget(noted)
            if is_translated(exchange):
                self._runtime.failed("A request in another format could not be repaired", error)
                return proxy_errors.TRANSLATION_FAILED().response()
            if masks:
                self._runtime.failed("A request could not be masked or repaired, and is refused", error)
                return proxy_errors.MASKING_FAILED().response()
            if exchange.fails_closed:
                self._runtime.failed("The image cascade failed", error)
                return proxy_errors.IMAGE_CASCADE_FAILED().response()
            self._runtime.failed("A request could not be repaired and leaves unchanged", error)
            return None
        finally:
            asked = {"asked": spans.asked(exchange.chat)} if answer_facts.are_wanted(exchange) else {}
            # A parsed body takes several times its size, and an answer may be minutes away.
            exchange.chat = {}
            exchange.milliseconds += (time.perf_counter() - started) * 1000
            exchange.tell(
                events.REPAIRED,
                rules=exchange.rules,
                changes=exchange.change_count,
                ms=exchange.milliseconds,
                session=exchange.session,
                kind=exchange.kind,
                **asked,
            )

    async def _through(self, request: http.Request, exchange: Exchange, further: _FurtherTries) -> Response | None:  # noqa: PLR0912, PLR0915 - one step after the other
        """The way of a body; an answer to the client where it ends here."""
        dialect = DIALECTS[exchange.dialect]
        translated = is_translated(exchange)
        exchange.fails_closed = translated

        # 1. Read: unpacked within bounds, parsed off the loop where it is large.
        encoding = request.headers.get("content-encoding", "")
        raw = request.raw_content or (b"{}" if dialect.house == "kept" else b"")  # a GET has no body
        came = await request_body.read(raw, encoding, self._settings.max_body, self._runtime.workers)
        if isinstance(came, Response):
            return came
        if isinstance(came.value, dict) and self._pipeline.choose_way(exchange, came.value):
            dialect, translated = DIALECTS[exchange.dialect], True
            exchange.fails_closed = True
        if came.flaw and not translated:
            logger.info(
                "%s %s %s",
                exchange.method,
                safe_text.plain(exchange.path),
                say("passes untouched: {why}", why=came.flaw),
            )
        if translated and not isinstance(came.value, dict):
            raise BadRequest(f"The request body can't be read: {came.flaw or 'it is no JSON object'}.")
        is_read = not came.flaw and (translated or pipeline.repairable(came.value, dialect.house))
        if not is_read and mask.is_wanted(exchange, self._settings):
            return proxy_errors.CANT_BE_MASKED().response()
        if not is_read:
            exchange.note(came.changes)
            self._write(request, exchange, came, came.data)
            return None

        # 2. Into the house language.
        first = exchange.change_count
        exchange.note(came.changes)
        exchange.model = printable(str(came.value.get("model") or "")[:200])
        exchange.language = texts.language_of(self._settings.language)
        exchange.size, exchange.cost, exchange.came = len(came.data), came.cost, hash(came.data)
        exchange.session = session.named(request.headers.fields, came.value)
        exchange.session_named = bool(exchange.session)
        response = await self._pipeline.translate(exchange, came.value, request.headers)
        if not exchange.session and dialect.house not in ("embeddings", "kept"):
            exchange.session = session.of_conversation(exchange.caller, exchange.chat)
        if not dialect.is_house:
            exchange.tell(events.TRANSLATED, dialect=exchange.dialect)
        exchange.streamed = exchange.chat.get("stream") is True

        # 3. Through the steps.
        before = exchange.change_count
        response = response or await self._pipeline.request(exchange)
        if response is not None and response.status < 400:
            return await self._in_clients_format(exchange, response)
        if response is not None or exchange.mode == "observe":
            return response
        changed = exchange.change_count > before or translated
        changed |= asked_usage.ask(exchange, self._settings, is_rewritten=exchange.change_count > first)

        # 4. Written: only if something changed.
        sent = came.data
        if changed:
            sent = await self._runtime.workers.run(
                lambda _: json_body.serialise(sent_body(exchange, self._settings)), exchange.cost // 4
            )
        most = profiles.load(exchange.profile).max_bytes
        if 0 < most < len(sent):
            return proxy_errors.REQUEST_TOO_LARGE_THERE(size=len(sent), limit=most).response()
        model = exchange.chat.get("model")
        if isinstance(model, str) and model != exchange.model:
            exchange.sent_model = printable(model[:200])
        set_headers(request, exchange, str(model))
        self._write(request, exchange, came, sent)
        await further.sent(came, exchange.chat)
        exchange.rewritten = bool(changed or came.changes)
        if exchange.rewritten and len(came.plain) <= self._settings.keep_original:
            exchange.original = came.plain
        if exchange.rewritten and exchange.page is not None:
            keep_content.came(exchange, came.plain, self._runtime.contents, self._settings.keep_original)
        return None

    async def _in_clients_format(self, exchange: Exchange, response: Response) -> Response:
        """A step's answer as the client gets it: as a stream if it asked for one, in its format."""
        if exchange.given_again:
            return await self._runtime.workers.run(
                lambda _: given_again.response(exchange, response.body), len(response.body)
            )
        dialect = DIALECTS[exchange.dialect]
        if dialect.house != "chat" and (dialect.house != "embeddings" or dialect.is_house):
            return response
        answer = await self._runtime.workers.run(
            lambda _: whole_body.repair_answer(exchange, NO_STEPS, response.body, "", self._settings.max_body),
            len(response.body),
        )
        if answer is None:
            return response
        return answer if isinstance(answer, Response) else replace(response, body=answer)

    @staticmethod
    def _write(request: http.Request, exchange: Exchange, came: Body, data: bytes) -> None:
        """Let `data` leave, plain, in the place of the body that came."""
        if exchange.mode != "observe" and (came.changes or data != request.raw_content):
            request.headers.pop("content-encoding", None)
            request.content = data
