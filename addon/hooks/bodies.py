"""A request's body on its way through: read, translated, repaired, written, dispatched.

A flow is changed only when everything that can fail is done: a request leaves repaired, or byte for byte unchanged.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace

from mitmproxy import http

from .. import dialects, pipeline, profiles
from ..access import keys
from ..answers import whole_body
from ..answers.translated import NO_STEPS, upstream_of
from ..dialects import APIS, DIALECTS
from ..dialects.anthropic import native
from ..dialects.anthropic.native import NativeMessages
from ..dialects.base import BadRequest
from ..exchange import Change, Exchange, Response, printable
from ..options import Settings
from ..pipeline import Pipeline
from ..route import api_path
from ..runtime import Runtime
from ..steps.rules import context_of
from ..wire import json_body, proxy_errors, safe_text
from . import request_body
from .dispatch import Dispatcher
from .draining import Draining
from .request_body import Body
from .respond import respond
from .sign import sign

logger = logging.getLogger("hunyuan_fix")


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

    async def request(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """Repair the request of `flow` and let it leave when its account has room, or answer it.

        Raises nothing. Cancelled, it answers too: nothing unfinished goes on.
        """
        arrived = time.monotonic()
        try:
            response = await self._repaired(flow.request, exchange)
            if response is not None and exchange.mode == "observe":
                exchange.warning = f"would be answered with {response.status} by the proxy"
                response = None
            # What is asked for by id passes under `observe`, without a slot: it calls no model.
            if response is None and DIALECTS[exchange.dialect].house != "kept":
                response = await self._dispatched(flow, exchange, arrived)
            if response is None and not self._dispatcher.is_relayed(flow):  # the relay signs each try
                response = sign(flow.request, exchange)
        except asyncio.CancelledError:
            # The client has left and gets nothing; or the process ends, and the request waited for its turn.
            response = (
                proxy_errors.STOPPED if self._draining.begun else proxy_errors.IMAGE_CASCADE_FAILED
            )().response()
        if response is not None:
            respond(flow, exchange, response)

    async def _dispatched(self, flow: http.HTTPFlow, exchange: Exchange, arrived: float) -> Response | None:
        started = time.perf_counter()
        try:
            return await self._dispatcher.dispatch(flow, exchange, self._settings, arrived=arrived)
        except Exception as error:
            self._runtime.failed("A request could not be queued and goes on at once", error)
            return None
        finally:
            exchange.queued = (time.perf_counter() - started) * 1000

    async def _repaired(self, request: http.Request, exchange: Exchange) -> Response | None:
        started = time.perf_counter()
        noted = exchange.noted()
        try:
            response = await self._through(request, exchange)
            if response is not None and response.status >= 400 and exchange.mode != "observe":
                exchange.forget(noted)
            return response
        except BadRequest as error:
            return proxy_errors.UNTRANSLATABLE(why=error.message, param=error.param).response()
        except Exception as error:
            exchange.forget(noted)
            if _is_translated(exchange):
                self._runtime.failed("A request in another format could not be repaired", error)
                return proxy_errors.TRANSLATION_FAILED().response()
            if exchange.fails_closed:
                self._runtime.failed("The image cascade failed", error)
                return proxy_errors.IMAGE_CASCADE_FAILED().response()
            self._runtime.failed("A request could not be repaired and leaves unchanged", error)
            return None
        finally:
            # A parsed body takes several times its size, and an answer may be minutes away.
            exchange.chat = {}
            exchange.milliseconds += (time.perf_counter() - started) * 1000

    async def _through(self, request: http.Request, exchange: Exchange) -> Response | None:
        """The way of a body; an answer to the client where it ends here."""
        dialect = DIALECTS[exchange.dialect]
        translated = _is_translated(exchange)
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
            logger.info("%s %s passes untouched: %s", exchange.method, safe_text.plain(exchange.path), came.flaw)
        if translated and not isinstance(came.value, dict):
            raise BadRequest(f"{came.flaw or 'The request body is not a JSON object'}: it can't be translated.")
        if came.flaw or not (translated or pipeline.repairable(came.value, dialect.house)):
            exchange.note(came.changes)
            self._write(request, exchange, came, came.data)
            return None

        # 2. Into the house language.
        exchange.note(came.changes)
        exchange.model = printable(str(came.value.get("model") or "")[:200])
        exchange.language = self._settings.language
        exchange.size, exchange.cost = len(came.data), came.cost
        response = await self._pipeline.translate(exchange, came.value, request.headers)
        exchange.streamed = exchange.chat.get("stream") is True

        # 3. Through the steps.
        before = exchange.change_count
        response = response or await self._pipeline.request(exchange)
        if response is not None and response.status < 400:
            return await self._in_clients_format(exchange, response)
        if response is not None or exchange.mode == "observe":
            return response
        changed = exchange.change_count > before or translated

        # 4. Written: only if something changed.
        sent = came.data
        if changed:
            sent = await self._runtime.workers.run(lambda _: self._as_sent(exchange), exchange.cost // 4)
        _set_headers(request, exchange)
        self._write(request, exchange, came, sent)
        exchange.rewritten = bool(changed or came.changes)
        if exchange.rewritten and len(came.plain) <= self._settings.keep_original:
            exchange.original = came.plain
        return None

    def _as_sent(self, exchange: Exchange) -> bytes:
        """The repaired request in the format that its endpoint speaks. Raises `BadRequest`."""
        upstream = upstream_of(exchange)
        if upstream.is_house:
            return json_body.serialise(exchange.chat)
        note = exchange.note_of(upstream.name)
        body = upstream.request(exchange.chat, context_of(exchange, self._settings), note)
        exchange.note([Change(upstream.name, pointer, why) for pointer, why in note.pop("changes", ())])
        return json_body.serialise(body)

    async def _in_clients_format(self, exchange: Exchange, response: Response) -> Response:
        """A step's answer as the client gets it: as a stream if it asked for one, in its format."""
        if DIALECTS[exchange.dialect].house != "chat":
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


def _is_translated(exchange: Exchange) -> bool:
    """Whether the client or the endpoint speaks another format than the house language."""
    return not (DIALECTS[exchange.dialect].is_house and upstream_of(exchange).is_house)


def _set_headers(request: http.Request, exchange: Exchange) -> None:
    """Give the request the path, the key and the headers that its endpoint reads in the format that it leaves in."""
    if _is_translated(exchange):
        dialect = DIALECTS[exchange.dialect]
        upstream = upstream_of(exchange)
        if keys.send_as_bearer(request.headers, alone=not dialect.is_house):
            exchange.note([Change("key", "", "the endpoint reads keys in Authorization")])
        target = request.path if dialect.is_house else ""  # the query is the other format's own
        request.path = api_path(target, exchange.base_url, upstream.path(dialect.house))
        _drop_own_headers(request, dialect.name)
        for name, value in upstream.headers.items():
            request.headers[name] = value
    if exchange.dialect == NativeMessages.name:
        _leave_accepted_betas(request, exchange)
    if exchange.streamed:
        # A stream that comes compressed would have to be unpacked to be repaired.
        request.headers["accept-encoding"] = "identity"


def _leave_accepted_betas(request: http.Request, exchange: Exchange) -> None:
    """Take out of header and query what names betas that the endpoint doesn't know: it may refuse them."""
    accepted = profiles.load(exchange.profile).native[exchange.spoken]
    given = ",".join(request.headers.get_all(native.BETA_HEADER))
    path, _, query = request.path.partition("?")
    betas, fields = native.accepted_betas(given, accepted), native.without_beta(query)
    if betas != given or fields != query:
        exchange.note([Change(NativeMessages.name, "", "betas that the endpoint doesn't know are dropped")])
    if betas != given:
        request.headers.set_all(native.BETA_HEADER, [betas] if betas else [])
    if fields != query:
        request.path = f"{path}?{fields}" if fields else path


def _drop_own_headers(request: http.Request, dialect: str) -> None:
    """Remove the headers that only endpoints of the format `dialect` read: another may refuse what they name."""
    api = APIS.get(dialects.of_format(dialect))
    for name in [name for name in request.headers if api and name.lower().startswith(api.own_headers)]:
        del request.headers[name]
