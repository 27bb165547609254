"""One exchange's way through the addon: bytes and headers of a mitmproxy flow in, repaired ones out.

Nothing here changes a flow before all that could fail is done: a request or an answer goes on either repaired
or byte for byte as it came.
"""

from __future__ import annotations

import asyncio
import logging
import time

from mitmproxy import http

from .. import admission, pipeline, record
from ..access import cors
from ..answers import embeddings, repaired, tool_calls
from ..cascade import Cascade
from ..config.options import Settings
from ..exchange import Endpoint, JsonObject, Response
from ..pipeline import Outcome
from ..profiles import Profile
from ..record import Record
from ..relay import OWN_HEADER, TRIES_HEADER
from ..rules.context import RuleContext
from ..runtime import Services
from ..upstream.target import Target
from ..vision.vision_call import DryRunVision
from ..wire import json_body, proxy_errors, rule_names, safe_text
from ..wire.content_coding import CodingError
from ..workers import Abandoned
from . import request_body
from .dispatch import PATIENCE
from .request_body import Body

MODE_HEADER = "x-hunyuan-mode"
"""Request header: the mode for this request alone. It goes no further."""
HEADER = "x-hunyuan-fix"
"""Response header: the names of the rules applied."""
OBSERVED_HEADER = "x-hunyuan-fix-observed"
"""Response header under `hunyuan_mode=observe`: the names of the rules that would have been applied."""
WARNING_HEADER = "x-hunyuan-fix-warning"

BATCH_RULE = "embeddings"
"""The name under which an embeddings request that is sent as several is noted."""

_PACKED_COST = 100
"""What a byte of a packed answer costs, in the units of `Workers`: a packed answer may be a hundred times as large."""

BATCH_TIMEOUT = 60.0
"""Seconds for each call of an embeddings request that is sent as several."""

logger = logging.getLogger("hunyuan_fix")


class Repair:
    """Repairs requests and answers under one set of options."""

    def __init__(self, settings: Settings, services: Services, failures: int = 0) -> None:
        self._settings = settings
        self._cascade = services.cascade
        self._batches = services.batches
        self._workers = services.workers
        self._departures = services.departures
        self._draining = services.draining
        self._announcing = Cascade(DryRunVision())
        """For `hunyuan_mode=observe`: finds what would be asked, and asks nobody."""
        self._announcing.configure(pipeline.cascade_settings(settings))
        self.failures = failures
        """Exceptions in the addon itself, since it was loaded."""

    async def request(self, flow: http.HTTPFlow, exchange: Record) -> None:
        """Repair the request of `flow` and let it leave when its account has room, or answer it.

        Raises nothing. Cancelled, it answers too, for nothing unfinished may go on.
        """
        try:
            await self._on_its_way(flow, exchange)
        except asyncio.CancelledError:
            # The client is gone and gets nothing; or the process ends, and what waits for its turn has done no wrong.
            stopped = proxy_errors.STOPPED() if self._draining.begun else proxy_errors.IMAGE_CASCADE_FAILED()
            respond(flow, exchange, stopped.response())

    async def _on_its_way(self, flow: http.HTTPFlow, exchange: Record) -> None:
        arrived = time.monotonic()
        refusal = await self._repaired(flow, exchange)
        if refusal is not None and exchange["mode"] == "observe":
            exchange["warning"] = f"would be answered with {refusal.status} by the proxy"
            refusal = None
        if refusal is None:
            refusal = await self._departed(flow, exchange, arrived)
        if refusal is not None:
            respond(flow, exchange, refusal)

    async def _departed(self, flow: http.HTTPFlow, exchange: Record, arrived: float) -> Response | None:
        started = time.perf_counter()
        try:
            return await self._departures.depart(flow, exchange, self._settings, arrived=arrived)
        except Exception as error:
            self._failed("A request could not be queued and goes on at once", error)
            return None
        finally:
            exchange["queued"] = (time.perf_counter() - started) * 1000

    async def _repaired(self, flow: http.HTTPFlow, exchange: Record) -> Response | None:
        started = time.perf_counter()
        try:
            return await self._request(flow, exchange)
        except pipeline.CascadeBroken as error:
            self._failed("The image cascade failed", error)
            return proxy_errors.IMAGE_CASCADE_FAILED().response()
        except Exception as error:
            self._failed("A request could not be repaired and goes on as it came", error)
            return None
        finally:
            exchange["milliseconds"] += (time.perf_counter() - started) * 1000

    async def _request(self, flow: http.HTTPFlow, exchange: Record) -> Response | None:
        request = flow.request
        encoding = request.headers.get("content-encoding", "")
        came = await request_body.read(request.raw_content or b"", encoding, self._settings.max_body, self._workers)
        if isinstance(came, Response):
            return came
        if came.flaw:
            logger.info("%s %s passes untouched: %s", exchange["method"], safe_text.plain(exchange["path"]), came.flaw)
        endpoint: Endpoint = "chat" if exchange["endpoint"] == "chat" else "embeddings"
        if came.flaw or not pipeline.repairable(came.value, endpoint):
            self._leave(request, exchange, came, came.data)
            return None
        return await self._repair(request, exchange, came, endpoint)

    async def _repair(self, request: http.Request, exchange: Record, came: Body, endpoint: Endpoint) -> Response | None:
        body: JsonObject = came.value
        exchange["model"] = record.printable(str(body.get("model") or "")[:200])
        exchange["language"] = self._settings.language
        exchange["streamed"] = body.get("stream") is True
        context = pipeline.context_of(body, exchange["profile"], self._settings, rerouted=exchange["successors"])
        upstream = self._upstream(request, exchange, context.profile)
        if endpoint == "chat":
            cascade = self._announcing if exchange["mode"] == "observe" else self._cascade
            outcome = await pipeline.chat(
                body,
                context,
                self._settings,
                cascade,
                upstream,
                workers=self._workers,
                size=len(came.data),
                cost=came.cost,
            )
        else:
            outcome = await self._workers.run(lambda _: pipeline.embed(body, context), came.cost)
        exchange["vision_calls"], exchange["cached"] = outcome.vision_calls, outcome.cached
        if outcome.overlong:
            self._warn(exchange, context, outcome.overlong)
        if exchange["mode"] == "observe":
            record.note(exchange, came.changes)
            _observe(exchange, outcome)
        elif outcome.refusal is None and outcome.batches:
            record.note(exchange, came.changes)
            return await self._batched(exchange, context, outcome, upstream)
        elif outcome.refusal is None:
            if body.get("stream") is True:
                # A stream that comes compressed would have to be unpacked to be repaired.
                request.headers["accept-encoding"] = "identity"
            sent = came.data
            if outcome.changes:
                sent = await self._workers.run(lambda _: json_body.serialise(body), came.cost)
            self._leave(request, exchange, came, sent)
            context.plan.tools = tool_calls.offered(body)
            exchange["plan"] = context.plan.to_plain()
            exchange["rewritten"] = bool(came.changes or outcome.changes)
            if exchange["rewritten"] and len(came.plain) <= self._settings.keep_original:
                exchange["original"] = came.plain
            record.note(exchange, outcome.changes)
        return outcome.refusal

    @staticmethod
    def _leave(request: http.Request, exchange: Record, came: Body, data: bytes) -> None:
        """Let `data` leave, plain, in the place of the body that came."""
        record.note(exchange, came.changes)
        if exchange["mode"] != "observe" and (came.changes or data != request.raw_content):
            request.headers.pop("content-encoding", None)
            request.content = data

    async def _batched(self, exchange: Record, context: RuleContext, outcome: Outcome, upstream: Target) -> Response:
        """Send a request that is too large for one call as several, and answer it."""
        result = await self._batches.send(
            outcome.batches,
            upstream,
            context.profile,
            BATCH_TIMEOUT,
            tries=pipeline.own_tries(self._settings),
            patience=PATIENCE,
        )
        if isinstance(result, Response):
            return result
        changes = [*outcome.changes, *(embeddings.pack(result) if context.plan.base64_embeddings else [])]
        record.note(exchange, changes)
        record.note_name(exchange, BATCH_RULE)
        exchange["tokens"] = repaired.tokens_used(result.get("usage"))
        return Response(200, {"content-type": "application/json"}, json_body.serialise(result))

    def _upstream(self, request: http.Request, exchange: Record, profile: Profile) -> Target:
        key = request.headers.get("authorization")
        account = admission.account(profile, key, self._settings)
        return Target(exchange["base_url"], {"Authorization": key} if key else {}, account)

    def _warn(self, exchange: Record, context: RuleContext, overlong: tuple[int, int]) -> None:
        estimated, limit = overlong
        exchange["warning"] = (
            f"input estimated at {estimated} tokens, limit of {safe_text.plain(context.model.id)} is {limit}: "
            "the endpoint cuts what is too long from the front"
        )
        logger.warning("%s %s: %s", exchange["method"], safe_text.plain(exchange["path"]), exchange["warning"])

    def answer_begins(self, flow: http.HTTPFlow, exchange: Record) -> None:
        """Decide at its headers how the answer of `flow` is passed on. Raises nothing."""
        response = flow.response
        if response is None or exchange["answered"]:
            return
        try:
            self._let_page_read(flow.request, response, exchange)
            _mark(response, exchange)
            exchange["tries"] = _tries(response)
            if self._needs_preflight(flow.request, response, exchange):
                return  # it is answered when the endpoint's own answer is here as a whole
            if not exchange["endpoint"]:
                # Not the 101 of a WebSocket: it has no body, mitmproxy goes on from its `response` hook.
                known = bool(exchange["profile"])
                response.stream = response.status_code != 101 and (known or _is_stream(response))
            elif exchange["endpoint"] == "chat" and response.status_code < 400 and _may_be_stream(response, exchange):
                self._stream(response, exchange)
        except Exception as error:
            self._failed("An answer can't be repaired and passes as it comes", error)
            response.stream = True

    def _stream(self, response: http.Response, exchange: Record) -> None:
        if response.raw_content is not None:
            return  # another addon's answer, which mitmproxy sends whole
        if exchange["mode"] == "observe":
            response.stream = repaired.KeptStream(self._settings.keep_streams)
            return
        encoding = response.headers.get("content-encoding", "")
        try:
            stream = repaired.RepairedStream(exchange, encoding, self._settings.keep_streams)
        except CodingError:
            logger.warning("The stream's content coding %s is not understood: it passes as it comes", encoding)
            response.stream = True
            return
        response.headers.pop("content-encoding", None)
        response.headers.pop("content-length", None)
        if not _is_stream(response):
            response.headers["content-type"] = repaired.EVENT_STREAM
        response.stream = stream

    def _let_page_read(self, request: http.Request, response: http.Response, exchange: Record) -> None:
        """Let the web page that asked read an answer of the relay's own, and any answer if its origin is allowed."""
        own = response.headers.pop(OWN_HEADER, None) is not None
        if not exchange["profile"] or cors.is_preflight(request.method, request.headers):
            return
        if own or (
            cors.ALLOW_ORIGIN not in response.headers
            and cors.is_allowed(request.headers, self._settings.allowed_origins)
        ):
            cors.add(response.headers, cors.for_answer(request.headers))
            if not own and exchange["mode"] != "observe":
                record.note_name(exchange, rule_names.CORS)

    def _needs_preflight(self, request: http.Request, response: http.Response, exchange: Record) -> bool:
        """Whether `request` is the preflight of an allowed page and the endpoint has no answer to such a question."""
        return (
            bool(exchange["profile"])
            and cors.is_preflight(request.method, request.headers)
            and cors.is_allowed(request.headers, self._settings.allowed_origins)
            and not cors.answers_preflight(response.status_code, response.headers)
        )

    async def answer_ends(self, flow: http.HTTPFlow, exchange: Record) -> None:
        """Repair the whole answer of `flow`, unless it was streamed. Raises nothing."""
        response = flow.response
        started = time.perf_counter()
        if response is None or exchange["answered"]:
            return
        if self._needs_preflight(flow.request, response, exchange):
            answer_preflight(flow, exchange)
            return
        if not exchange["endpoint"] or response.raw_content is None:
            return
        if exchange["mode"] == "observe":
            return
        raw, encoding = response.raw_content, response.headers.get("content-encoding", "")
        cost = len(raw) * (_PACKED_COST if encoding else 1)
        try:
            if response.status_code >= 400:
                retry_after = response.headers.get("retry-after")
                status = response.status_code
                refusal = await self._workers.run(
                    lambda _: repaired.honest(exchange, status, raw, encoding, retry_after), cost
                )
                if refusal is not None:
                    _restate(response, refusal)
                    record.note_name(exchange, repaired.ERROR_RULE)
            elif response.status_code in _WITH_ANSWER:
                limit = self._settings.max_body
                body = await self._workers.run(lambda _: repaired.repaired(exchange, raw, encoding, limit), cost)
                if isinstance(body, Response):
                    _restate(response, body)
                elif body is not None:
                    response.headers.pop("content-encoding", None)
                    response.content = body
            _mark(response, exchange)
        except (Abandoned, asyncio.CancelledError):
            pass  # the process ends: the answer passes as it came
        except Exception as error:
            self._failed("An answer could not be repaired and passes as it came", error)
        exchange["milliseconds"] += (time.perf_counter() - started) * 1000

    def _failed(self, what: str, error: Exception) -> None:
        self.failures += 1
        logger.error("%s (failure %d since start):\n%s", what, self.failures, safe_text.traceback_without_text(error))


def _observe(exchange: Record, outcome: Outcome) -> None:
    """Note what would have been done; the request stays as it came."""
    if outcome.refusal is None:
        record.note(exchange, outcome.changes)
        if outcome.batches:
            record.note_name(exchange, BATCH_RULE)


def respond(flow: http.HTTPFlow, exchange: Record, refusal: Response) -> None:
    """Answer `flow` with `refusal`; nothing is sent on."""
    flow.response = http.Response.make(refusal.status, refusal.body, dict(refusal.headers))
    cors.add(flow.response.headers, cors.for_answer(flow.request.headers))
    exchange["answered"] = True
    _mark(flow.response, exchange)


def answer_preflight(flow: http.HTTPFlow, exchange: Record) -> None:
    """Answer `flow`, a browser's preflight, in the endpoint's place: what the page asks for may be sent."""
    flow.response = http.Response.make(204, b"", cors.for_preflight(flow.request.headers))
    del flow.response.headers["content-length"]  # RFC 9110 section 8.6
    exchange["answered"] = True
    record.note_name(exchange, rule_names.CORS)
    _mark(flow.response, exchange)


def _tries(response: http.Response) -> int:
    tries = response.headers.get(TRIES_HEADER, "")
    return int(tries) if tries.isdecimal() and tries.isascii() else 1


def _mark(response: http.Response, exchange: Record) -> None:
    response.headers.update(exchange["limits"])
    if exchange["rules"]:
        header = OBSERVED_HEADER if exchange["mode"] == "observe" else HEADER
        response.headers[header] = ",".join(exchange["rules"])
    if exchange["warning"]:
        response.headers[WARNING_HEADER] = exchange["warning"]


def _restate(response: http.Response, refusal: Response) -> None:
    response.headers.pop("content-encoding", None)
    response.headers.update(refusal.headers)
    response.status_code = refusal.status
    response.reason = http.Response.make(refusal.status).reason if response.is_http11 else ""
    response.content = refusal.body


_WITH_ANSWER = (200, 201, 203)
"""Statuses of an answer that has a body (RFC 9110 section 15.3)."""

_TELLS_NOTHING = ("", "text/plain", "application/octet-stream")
"""Labels under which streams come, too."""


def _label(response: http.Response) -> str:
    return str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()


def _is_stream(response: http.Response) -> bool:
    return _label(response) == repaired.EVENT_STREAM


def _may_be_stream(response: http.Response, exchange: Record) -> bool:
    """Whether an answer has to be sent on as it comes.

    A whole body, known by its length or its label, is looked at first: then an error still has its status.
    """
    unlabelled = _label(response) in _TELLS_NOTHING and "content-length" not in response.headers
    return _is_stream(response) or (exchange["streamed"] and unlabelled)
