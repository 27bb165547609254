"""An answer on its way back: a stream repaired as it comes, a body repaired whole, errors with the status they mean."""

from __future__ import annotations

import asyncio
import logging
import time

from mitmproxy import http

from .. import profiles
from ..access import cors
from ..answers import model_list, native, seen_models, streamed, whole, whole_body
from ..dialects import APIS, DIALECTS, NATIVE, SIGNED
from ..exchange import Exchange, JsonObject, Response
from ..options import Settings
from ..pipeline import Pipeline
from ..relay import OWN_HEADER, TRIES_HEADER
from ..route import is_translated
from ..rules import model_names
from ..runtime import Runtime
from ..texts.terminal import say
from ..upstream.server_clock import TC3, is_expired
from ..wire import flaws, noted_errors, proxy_errors, rule_names, safe_text, short_reason, vendor_errors
from ..wire.content_coding import CodingError, TooLarge, unpack
from ..workers import Abandoned
from . import mended_try
from .keep_alive import KeepAlive
from .mitmproxy_internals import insertion
from .respond import answer_preflight, in_clients_words, mark, name_request, restate

logger = logging.getLogger("hunyuan_fix")

_PACKED_COST = 100
"""What a byte of a packed answer costs, in the units of `Workers`: a packed answer may be a hundred times as large."""


class Answers:
    """Takes answers back to their clients, under one set of options."""

    def __init__(self, settings: Settings, runtime: Runtime, steps: Pipeline, keep_alive: KeepAlive) -> None:
        self._settings = settings
        self._runtime = runtime
        self._pipeline = steps
        self._keep_alive = keep_alive

    def begins(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """Decide at its headers how the answer of `flow` is passed on. Raises nothing."""
        response = flow.response
        if response is None or exchange.answered:
            return
        try:
            if exchange.dialect and profiles.load(exchange.profile).signer == TC3 and _is_stream(response):
                self._runtime.clocks.accepted(flow.request.url, response.headers.get("date"))
            self._name(flow.request, response, exchange)
            mark(response, exchange)
            exchange.tries = _tries(response)
            if self._needs_preflight(flow.request, response, exchange):
                return  # answered in `ends`, once the endpoint's own answer is complete
            if exchange.lists_models:
                return  # its form is changed in `ends`
            if not exchange.dialect:
                # Not the 101 of a WebSocket: it has no body, mitmproxy goes on from its `response` hook.
                known = bool(exchange.profile)
                may_quote = bool(exchange.secrets) and response.status_code >= 400  # the key: it is looked at in `ends`
                response.stream = response.status_code != 101 and (known or _is_stream(response)) and not may_quote
                if exchange.names_models and response.status_code < 400:
                    response.stream = streamed.KeptStream(seen_models.LARGEST)
                    return
                if exchange.names_models and exchange.mode == "repair":
                    response.stream = False  # its error is finished in `ends`
                    return
                if response.stream and (exchange.client or exchange.secrets):
                    exchange.streamed = _is_stream(response)
                    # It counts, for the client's limit; and hides the proxy's key, should the endpoint quote it.
                    response.stream = streamed.KeptStream(0, exchange, tells=False)
            elif self._may_stream(exchange) and response.status_code < 400 and _may_be_stream(response, exchange):
                self._stream(flow, response, exchange)
        except Exception as error:
            self._runtime.failed("An answer can't be repaired and passes as it comes", error)
            response.stream = True

    def _stream(self, flow: http.HTTPFlow, response: http.Response, exchange: Exchange) -> None:
        if response.raw_content is not None:
            return  # another addon's answer, which mitmproxy sends whole
        if exchange.mode == "observe":
            response.stream = streamed.KeptStream(self._settings.keep_streams, exchange)
            return
        encoding = response.headers.get("content-encoding", "")
        try:
            stream = self._repairing(exchange, encoding)
        except CodingError:
            if exchange.has_placeholders:
                return  # an error is in its place in `ends`, which can't read it either
            coding = safe_text.plain(encoding)
            said = say("The stream's content coding {coding} is not understood: it passes unchanged", coding=coding)
            logger.warning("%s", said)
            response.stream = True
            return
        if exchange.json is not None and not insertion.is_in_place():
            exchange.json.may_ask = False  # its last pieces could not be put in
        response.headers.pop("content-encoding", None)
        response.headers.pop("content-length", None)
        if not _is_stream(response) or exchange.dialect in SIGNED:  # whose clients read no parameter behind it
            response.headers["content-type"] = streamed.EVENT_STREAM
        response.stream = stream
        self._keep_alive.watch(flow, stream)

    def _repairing(self, exchange: Exchange, encoding: str) -> streamed.ClientStream:
        """What the stream passes through. Raises `CodingError`."""
        keep, steps = self._settings.keep_streams, self._pipeline

        def written() -> None:
            self._complete(exchange)

        if exchange.dialect in NATIVE:
            return native.NativeStream(exchange, encoding, keep, written, steps)
        return streamed.RepairedStream(exchange, steps, encoding, keep, written)

    def _complete(self, exchange: Exchange) -> None:
        try:
            self._pipeline.complete(exchange)
        except Exception as error:
            exchange.to_keep = exchange.to_hear = None
            self._runtime.failed("An answer could not be kept", error)

    def _name(self, request: http.Request, response: http.Response, exchange: Exchange) -> None:
        """Name the exchange in an answer, and let the web page that asked read it.

        It may read one of the relay's own, and any if its origin is allowed.
        """
        own = OWN_HEADER in response.headers
        if own:
            noted_errors.known(exchange, response.headers.pop(OWN_HEADER))
        if exchange.profile:
            name_request(response, exchange, own=own)
        if (
            not exchange.profile
            or "origin" not in request.headers
            or cors.is_preflight(request.method, request.headers)
        ):
            return
        if own or (
            cors.ALLOW_ORIGIN not in response.headers
            and cors.is_allowed(request.headers, self._settings.allowed_origins)
        ):
            cors.add(response.headers, cors.for_answer(request.headers))
            if not own and exchange.mode != "observe":
                exchange.note_name(rule_names.CORS)

    def _is_answered_here(self, flow: http.HTTPFlow, response: http.Response, exchange: Exchange) -> bool:
        """Whether the answer is one of the proxy's own, or becomes one: a preflight's.

        An allowed page may read what has content here, such as a kept answer or a count; any page errors (`respond`).
        """
        headers = flow.request.headers
        if exchange.answered:
            if response.status_code < 400 and cors.is_allowed(headers, self._settings.allowed_origins):
                cors.add(response.headers, cors.for_answer(headers))
        elif self._needs_preflight(flow.request, response, exchange):
            answer_preflight(flow, exchange)
        return exchange.answered

    def _needs_preflight(self, request: http.Request, response: http.Response, exchange: Exchange) -> bool:
        """Whether `request` is the preflight of an allowed page and the endpoint has no answer to such a question."""
        return (
            request.method == "OPTIONS"
            and bool(exchange.profile)
            and cors.is_preflight(request.method, request.headers)
            and cors.is_allowed(request.headers, self._settings.allowed_origins)
            and not cors.answers_preflight(response.status_code, response.headers, request.headers)
        )

    async def ends(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """Repair the whole answer of `flow`, unless it was streamed. Raises nothing.

        An endpoint may quote a key that it refuses: where that is the proxy's own, the client doesn't get to see it.
        """
        await self._ends(flow, exchange)
        if exchange.secrets and flow.response is not None:
            try:
                _mask(flow.response, exchange)
            except Exception as error:  # it may have the key: it must not pass
                self._runtime.failed("An answer could not be searched for the proxy's key, and is replaced", error)
                restate(
                    flow.response,
                    in_clients_words(exchange, proxy_errors.INVALID_ANSWER(flaw=flaws.TOO_LARGE.what).response()),
                )

    async def _ends(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        response = flow.response
        started = time.perf_counter()
        if response is None or self._is_answered_here(flow, response, exchange):
            return
        self._look_at(response, exchange)
        if (
            exchange.dialect
            and profiles.load(exchange.profile).signer == TC3
            and is_expired(response.raw_content or b"")
        ):
            self._runtime.clocks.refused(flow.request.url, response.headers.get("date"))
        if not (exchange.dialect or exchange.lists_models or exchange.names_models) or response.raw_content is None:
            return
        if exchange.mode == "observe":
            await mended_try.observe(flow.request, response, exchange, self._settings, self._runtime)
            mark(response, exchange)
            return
        raw, encoding = response.raw_content, response.headers.get("content-encoding", "")
        cost = len(raw) * (_PACKED_COST if encoding else 1)
        try:
            if exchange.lists_models:
                restate(response, self._list_of_models(response, exchange))
            elif response.status_code >= 400:
                refusal = await self._runtime.workers.run(lambda _: _refusal(response, exchange, raw, encoding), cost)
                if refusal is not None:
                    restate(response, refusal)
                    exchange.note_name(whole.ERROR_RULE)
            elif response.status_code in _WITH_ANSWER and exchange.dialect:
                limit = self._settings.max_body
                body = await self._runtime.workers.run(
                    lambda _: whole_body.repair_answer(exchange, self._pipeline, raw, encoding, limit), cost
                )
                if isinstance(body, Response):
                    restate(response, in_clients_words(exchange, body) if body.status >= 400 else body)
                elif body is not None:
                    response.headers.pop("content-encoding", None)
                    response.content = body
            mark(response, exchange)
        except (Abandoned, asyncio.CancelledError):
            pass  # the process ends: the answer passes unchanged
        except Exception as error:
            self._failed(response, exchange, error)
        exchange.milliseconds += (time.perf_counter() - started) * 1000

    def _failed(self, response: http.Response, exchange: Exchange, error: Exception) -> None:
        """Let an answer that could not be repaired pass, but not with placeholders: tools would write them."""
        if not exchange.has_placeholders:
            self._runtime.failed("An answer could not be repaired and passes unchanged", error)
            return
        self._runtime.failed("An answer could not be repaired, and is replaced by an error", error)
        lost = proxy_errors.INVALID_ANSWER(flaw=flaws.DAMAGED.what).response()
        restate(response, in_clients_words(exchange, lost))

    def _look_at(self, response: http.Response, exchange: Exchange) -> None:
        """Note what the log and later errors are to say: why the endpoint refused, and which models a key has."""
        if exchange.names_models:
            self._note_models(response, exchange)
        if response.status_code >= 400 and (exchange.dialect or exchange.lists_models or exchange.names_models):
            exchange.offered = self._runtime.seen_models.of(exchange.base_url, exchange.caller)
            _note_reason(exchange, response)

    def _note_models(self, response: http.Response, exchange: Exchange) -> None:
        """Remember which models the client's key has, by the list that it has got."""
        body = getattr(response.stream, "kept", None) or response.raw_content
        if body and response.status_code == 200:
            encoding = response.headers.get("content-encoding", "")
            self._runtime.seen_models.saw(exchange.base_url, exchange.caller, body, encoding)

    def _list_of_models(self, response: http.Response, exchange: Exchange) -> Response:
        """The endpoint's list of models in the form of `exchange.spoken`, or one of it, or an error.

        One that is asked for is found by each name that a request may have for it.
        """
        api, profile = APIS.get(exchange.spoken) or model_list.OPENAI, profiles.load(exchange.profile)
        raw, encoding = response.raw_content or b"", response.headers.get("content-encoding", "")
        self._note_models(response, exchange)
        # Where requests pass untouched an alias would, too.
        aliases = is_translated(exchange.spoken, profile, self._settings.translate)
        status, window = response.status_code, self._settings.window
        answer = model_list.in_form_of(
            api,
            status,
            raw,
            encoding,
            profile,
            aliases=aliases,
            window=window,
            key=vendor_errors.key_shape(exchange.headers),
            base_url=exchange.base_url,
        )
        if exchange.listed_model:
            named: JsonObject = {"model": exchange.listed_model}
            other = (self._settings.text_model or profile.text_model) if exchange.spoken else None
            model_names.model_name(named, self._settings.models, profile, other)
            answer = model_list.one_of(answer, exchange.listed_model, named["model"])
        exchange.note_name(rule_names.MODELS)
        return in_clients_words(exchange, answer) if answer.status >= 400 else answer

    @staticmethod
    def _may_stream(exchange: Exchange) -> bool:
        return DIALECTS[exchange.dialect].house in ("chat", "native")


def _refusal(response: http.Response, exchange: Exchange, raw: bytes, encoding: str) -> Response | None:
    """The endpoint's error as its client understands it; `None` where it stays."""
    status, headers = response.status_code, response.headers
    if exchange.dialect in NATIVE:
        return native.repair_error(exchange, status, headers, raw, encoding)
    if exchange.names_models:
        try:
            refusal: Response | None = whole.finished(
                exchange, status, unpack(raw, encoding, short_reason.LARGEST), None
            )
        except (CodingError, TooLarge):
            return None
        return None if refusal is None else in_clients_words(exchange, refusal)
    refusal = whole_body.repair_error(exchange, status, raw, encoding, headers.get("retry-after"))
    return None if refusal is None else in_clients_words(exchange, refusal)


def _mask(response: http.Response, exchange: Exchange) -> None:
    """Put stars in the place of the proxy's keys in an answer's headers and body, an error's unpacked."""
    response.headers.fields = tuple((name, exchange.masked(value)) for name, value in response.headers.fields)
    raw = response.raw_content
    if not raw:
        return
    encoding = response.headers.get("content-encoding", "")
    if encoding and response.status_code < 400:
        return
    try:
        plain = unpack(raw, encoding, short_reason.LARGEST) if encoding else raw
    except TooLarge:
        restate(response, in_clients_words(exchange, proxy_errors.INVALID_ANSWER(flaw=flaws.TOO_LARGE.what).response()))
        return
    except CodingError:
        plain = raw
    masked = exchange.masked(plain)
    if masked is not plain:
        response.headers.pop("content-encoding", None)
        response.content = masked


def _note_reason(exchange: Exchange, response: http.Response) -> None:
    """Note for the log why the endpoint refused, unless it is known by now: the relay has said so."""
    if exchange.failure or response.raw_content is None:
        return
    try:
        body = unpack(response.raw_content, response.headers.get("content-encoding", ""), short_reason.LARGEST)
    except (CodingError, TooLarge):
        body = b""
    noted_errors.answer(exchange, Response(response.status_code, {}, body))


def _tries(response: http.Response) -> int:
    tries = response.headers.get(TRIES_HEADER, "")
    return int(tries) if tries.isdecimal() and tries.isascii() else 1


_WITH_ANSWER = (200, 201, 203)
"""Statuses of an answer that has a body (RFC 9110 section 15.3)."""

_TELLS_NOTHING = ("", "text/plain", "application/octet-stream")
"""Content types that some endpoints give their streams."""


def _label(response: http.Response) -> str:
    return str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()


def _is_stream(response: http.Response) -> bool:
    return _label(response) == streamed.EVENT_STREAM


def _may_be_stream(response: http.Response, exchange: Exchange) -> bool:
    """Whether an answer has to be sent on as it comes.

    A whole body, known by its length or its label, is looked at first: then an error still has its status.
    """
    if not exchange.streamed and exchange.has_placeholders:
        return False  # under a wrong label it would pass unread
    unlabelled = _label(response) in _TELLS_NOTHING and "content-length" not in response.headers
    return _is_stream(response) or (exchange.streamed and unlabelled)
