"""The ASGI application: routing, keys, concurrency, and the way from a request to its answer."""

import asyncio
import hashlib
import itertools
import time
from typing import Any

from . import (
    answers,
    anthropic_checks,
    anthropic_messages,
    checks,
    completions,
    control,
    directives,
    endpoints,
    faults,
    model_list,
    models,
    openai_checks,
    openai_events,
    openai_facade,
    openai_items,
    openai_responses,
    streams,
)
from .billing import Bill
from .codec import decode
from .content import image_urls, text_of
from .embeddings import embeddings
from .faults import Fault, Faults
from .journal import Journal, Request
from .prompt_cache import PromptCache, tokens
from .responses import Headers, Receive, Response, Send
from .rows import THINKERS, Finding, Json, Problem, problem
from .settings import Settings
from .streams import Script, script
from .thoughts import Thoughts
from .vision import UnreadableImage

CONTROL = "/_sim/"

_HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_GARBAGE = b'{"id": "0", "choices": ['
_SEED_BYTES = 65_536


class Refused(Exception):
    """The request is answered with a Problem."""

    def __init__(self, refusal: Problem) -> None:
        super().__init__(refusal.row)
        self.problem = refusal


class Simulator:
    """An endpoint as an ASGI application. `journal` and `faults` are open to tests in the same process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.journal = Journal(settings.record)
        self.faults = Faults()
        self._kept = openai_responses.Kept()
        self._endpoint = endpoints.ENDPOINTS[settings.profile]
        self._messages_paths = (
            endpoints.messages_paths(settings.profile) if settings.facade is not None else frozenset()
        )
        self._thoughts = Thoughts()
        self._cache = PromptCache()
        self._numbers = itertools.count(1)  # of answers

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer one request; anything but HTTP is left unanswered."""
        if scope["type"] != "http":
            return
        connection = scope.get("state", {}).get("connection")
        if scope["path"].startswith(CONTROL):
            body = await _read_body(receive)
            answer = Response(send, connection, scope["http_version"])
            wanted = scope["method"], scope["path"].removeprefix(CONTROL)
            await control.answer(wanted, body or b"", answer, self.journal, self.faults)
            return
        # It no longer counts when its answer's last byte leaves: a client that has that byte may send the next.
        end = self.journal.begin()
        response = Response(send, connection, scope["http_version"], ended=end)
        try:
            body = await _read_body(receive)
            if body is None:
                self.journal.disconnects += 1
                return
            request = Request(
                method=scope["method"],
                path=scope["path"],
                headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]],
                body=body,
                http_version=scope["http_version"],
            )
            self.journal.received(request)
            await self._while_connected(request, response, receive)
            if request.bill is not None:
                self.journal.billing.add(request.bill, ended=response.complete and not response.broken)
        finally:
            end()

    async def _while_connected(self, request: Request, response: Response, receive: Receive) -> None:
        """Answer until done or until the client has gone."""
        work = asyncio.create_task(self._answer(request, response))
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and not response.complete:
                self.journal.disconnects += 1
                work.cancel()
            await asyncio.wait({work})
            if not work.cancelled():
                work.result()
        finally:
            gone.cancel()
            work.cancel()

    async def _answer(self, request: Request, response: Response) -> None:
        try:
            fault = self._take_fault(request)
            if await self._replaced(request, response, fault):
                return
            self._admit(request)
            await self._route(request, response, fault)
        except Refused as refused:
            await self._refuse(request, response, refused.problem)
        self.journal.answered(request, response.status)

    async def _refuse(
        self, request: Request, response: Response, refusal: Problem, retry_after: str | None = None
    ) -> None:
        if self._speaks_messages(request):
            refusal = anthropic_messages.reworded(refusal)
        self.journal.refused(request, refusal)
        headers: Headers = ((b"x-sim-row", refusal.row.encode()),)
        if retry_after is not None:
            headers = (*headers, (b"retry-after", retry_after.encode()))
        await response.json(refusal.status, refusal.body, headers)

    def _problem(self, row: str, detail: str = "", subject: str = "") -> Problem:
        return problem(self.settings.profile, Finding(row, detail, subject))

    def _take_fault(self, request: Request) -> Fault | None:
        try:
            return self.faults.take(request)
        except ValueError as error:
            raise Refused(self._problem("A6", str(error))) from error

    async def _replaced(self, request: Request, response: Response, fault: Fault | None) -> bool:
        """Suffer the faults that leave no answer; True if the request is answered with that."""
        if fault is None:
            return False
        row = faults.ROWS.get(fault.kind)
        if row is not None:
            refusal = self._problem(row, "fault on request")
            await self._refuse(request, response, refusal, fault.retry_after)
        elif fault.kind == "html_502":
            await response.whole(502, _HTML, content_type=b"text/html")
        elif fault.kind == "garbage_json":
            await response.whole(200, _GARBAGE)
        elif fault.kind in ("status", "200_error"):
            refusal = self._problem("A9", "fault on request")
            status = 200 if fault.kind == "200_error" else fault.count(500)
            refusal = Problem(fault.kind, status, refusal.body, refusal.detail)
            await self._refuse(request, response, refusal, fault.retry_after)
        elif fault.kind == "stall" and fault.number is None:
            await asyncio.Event().wait()
        else:
            await asyncio.sleep(fault.number or 0 if fault.kind == "slow" else 0)
            return False
        self.journal.answered(request, response.status)
        return True

    def _admit(self, request: Request) -> None:
        """Rows A11 and A4: the key, and the account's limit on requests at once."""
        scheme, _, key = request.header("authorization").partition(" ")
        if self._speaks_messages(request) and (named := request.header("x-api-key")):
            scheme, key = "bearer", named
        known = self.settings.accept_keys
        if scheme.lower() != "bearer" or not key.strip() or (known and key.strip() not in known):
            raise Refused(self._problem("A11", "authorization"))
        if self.settings.profile == "kimi-coding" and not endpoints.is_agent(request.header("user-agent")):
            raise Refused(self._problem("agent", request.header("user-agent")))
        if 0 < self.settings.concurrency < self.journal.active:
            raise Refused(self._problem("A4", f"{self.journal.active} at once"))

    async def _route(self, request: Request, response: Response, fault: Fault | None) -> None:
        match request.method, request.path:
            case "POST", path if path in self._endpoint.chat:
                await self._chat(request, response, fault)
            case "POST", "/v1/embeddings" if models.embeds(self.settings.profile):
                await self._embed(request, response, fault)
            case "GET", path if path in self._endpoint.models and self._lists_models():
                listed = model_list.listed(self.settings.profile, retired=not self.settings.retired)
                await self._respond(request, response, listed, fault)
            case "POST", path if path == self._endpoint.estimate:
                await self._estimate(request, response, fault)
            case "POST", path if self._speaks_messages(request):
                await self._messages(request, response, fault, counting=path.endswith(endpoints.COUNT))
            case "POST", openai_responses.PATH | openai_responses.COMPACT | openai_responses.COUNT:
                await self._responses(request, response, fault)
            case _, path if path.startswith(f"{openai_responses.PATH}/"):
                await self._kept_response(request, response)
            case _:
                raise Refused(self._problem("path", f"{request.method} {request.path}"))

    def _speaks_messages(self, request: Request) -> bool:
        """Whether the request is for the Messages API, and this endpoint has one."""
        return request.path in self._messages_paths

    def _lists_models(self) -> bool:
        return self._endpoint.models_abroad or not self.settings.variant.intl

    def _json(self, request: Request) -> Any:
        try:
            return decode(request.body)
        except ValueError as error:
            raise Refused(self._problem("A6", f": {error}")) from error

    async def _chat(self, request: Request, response: Response, fault: Fault | None) -> None:
        settings, body = self.settings, self._json(request)
        profile, variant, most = settings.profile, settings.variant, settings.max_input
        self._heed(request, body)
        refusal = checks.problems(
            body, profile, strict=settings.strict, retired=settings.retired, variant=variant, max_input=most
        )
        if refusal is not None:
            raise Refused(refusal)
        if profile == "tokenhub" and 0 < most < (asked := anthropic_checks.input_tokens(body)):
            raise Refused(self._problem("overflow", f"{asked} tokens of {most}", f": {asked} tokens, limit {most}"))
        answer = self._compose(body, request)
        self._remember(answer)
        request.bill = Bill(body["model"], answer.usage)
        if not body.get("stream"):
            await self._respond(request, response, completions.completion(answer, profile, variant), fault)
            return
        include_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        chunks = completions.chunks(answer, profile, include_usage=include_usage, variant=variant)
        await self._stream(response, script(streams.completion(chunks, profile), fault))

    def _heed(self, request: Request, body: Any) -> None:
        """Note what came back of what the model thought."""
        if self.settings.profile != "hunyuan" and isinstance(body, dict):
            messages = body.get("messages")
            judged = self._thoughts.judge(messages, self.settings.variant.reasoning_field)
            self.journal.asked(request, messages, judged)

    def _remember(self, answer: answers.Answer) -> None:
        """Keep what the model thinks before `answer`, as it goes over the wire."""
        self._thoughts.remember(
            answer.reasoning, answer.text, [(call.name, call.arguments) for call in answer.tool_calls]
        )

    async def _estimate(self, request: Request, response: Response, fault: Fault | None) -> None:
        """How many tokens a chat body has, for the profile that says so."""
        body = self._json(request)
        total = tokens([body.get("tools"), body.get("messages")]) if isinstance(body, dict) else 0
        await self._respond(request, response, {"data": {"total_tokens": total}, "status": True}, fault)

    async def _messages(self, request: Request, response: Response, fault: Fault | None, *, counting: bool) -> None:
        facade, body = self.settings.facade, self._json(request)
        assert facade is not None
        headers, settings = dict(reversed(request.headers)), self.settings
        self._heed(request, body)
        finding = anthropic_checks.problems(
            body, facade, headers, counting=counting, max_input=settings.max_input, variant=settings.variant
        )
        if finding is not None:
            raise Refused(anthropic_messages.refusal(finding, facade))
        if counting:
            await self._respond(request, response, anthropic_messages.count(body), fault)
            return
        chat = anthropic_messages.as_chat(body)
        if any(image_urls(chat)):
            self.journal.vision_calls += 1
        if directives.parse(text_of(chat["messages"][-1])).sensitive:
            raise Refused(self._problem("moderation"))
        try:
            read = self._read(body, request) if self.settings.profile in THINKERS else None
            answer, stop = anthropic_messages.answer(
                body,
                facade,
                created=int(time.time()),
                seed=seed_of(request.body),
                mentions=self.settings.mentions,
                variant=self.settings.variant,
                read=read,
            )
        except UnreadableImage as error:
            raise Refused(self._problem("image", str(error))) from error
        self._remember(answer)
        signed = self.settings.profile not in THINKERS
        message = anthropic_messages.message(answer, stop, body, read, signed=signed)
        request.bill = Bill(body["model"], message["usage"])
        if body.get("stream"):
            events = anthropic_messages.events(answer, stop, body, read, signed=signed)
            await self._stream(response, script(events, fault))
        else:
            await self._respond(request, response, message, fault)

    async def _responses(self, request: Request, response: Response, fault: Fault | None) -> None:
        facade, body = self.settings.responses, self._json(request)
        model = body.get("model") if isinstance(body, dict) else None
        if facade is None or not openai_facade.speaks(model, facade):
            raise Refused(self._problem("path", f"POST {request.path} for {model}"))
        keeps = "storage" in facade.takes
        known = self._kept.known() if keeps else {}
        finding = openai_checks.problems(body, facade, known=known, max_input=self.settings.max_input)
        if finding is not None:
            raise Refused(openai_responses.refusal(finding, facade))
        if request.path == openai_responses.COUNT:
            count = openai_items.input_tokens(body)
            await self._respond(request, response, {"object": "response.input_tokens", "input_tokens": count}, fault)
            return
        items, seed = self._kept.input_of(body), seed_of(request.body)
        if request.path == openai_responses.COMPACT:
            made = openai_responses.compacted(seed.hex()[:32], items, body, int(time.time()))
            request.bill = Bill(body["model"], made["usage"])
            await self._respond(request, response, made, fault)
            return
        chat = openai_responses.as_chat(body, items)
        self.journal.vision_calls += any(image_urls(chat))
        if directives.parse(text_of(chat["messages"][-1])).sensitive and not facade.openai_words:
            raise Refused(self._problem("moderation"))
        try:
            made, pieces = openai_responses.answer(
                body, items, facade, created=int(time.time()), seed=seed, mentions=self.settings.mentions
            )
        except UnreadableImage as error:
            raise Refused(self._problem("image", str(error))) from error
        if keeps and body.get("store") is not False:
            self._kept.keep(items, made)
        request.bill = Bill(body["model"], made["usage"])
        if body.get("stream"):
            await self._stream(response, script(openai_events.events(made, pieces), fault))
        else:
            await self._respond(request, response, made, fault)

    async def _kept_response(self, request: Request, response: Response) -> None:
        """`/v1/responses/ID` and what is under it."""
        answer_id, _, below = request.path.removeprefix(f"{openai_responses.PATH}/").partition("/")
        before, made = self._kept.responses.get(answer_id, ([], {}))
        match request.method, below:
            case _ if not made:
                raise Refused(self._problem("path", f"{request.method} {request.path}"))
            case ("GET", "") | ("POST", "cancel"):
                await response.json(200, made)
            case "GET", "input_items":
                await response.json(200, {"object": "list", "data": before[::-1], "has_more": False})
            case "DELETE", "":
                del self._kept.responses[answer_id]
                await response.json(200, {"id": answer_id, "object": "response", "deleted": True})
            case _:
                raise Refused(self._problem("path", f"{request.method} {request.path}"))

    def _read(self, body: Json, request: Request) -> tuple[int, int]:
        """The tokens of the prompt, and those that the key's prompt cache had."""
        return self._cache.read(body, request.header("authorization") + request.header("x-api-key"))

    def _compose(self, body: Json, request: Request) -> answers.Answer:
        profile = self.settings.profile
        model = models.find(profile, body["model"])
        if model is not None and model.images and any(image_urls(body)):
            self.journal.vision_calls += 1
        # TokenHub refuses what moderation finds (451001) where the legacy endpoint breaks off with "sensitive".
        if profile != "hunyuan" and directives.parse(text_of(body["messages"][-1])).sensitive:
            raise Refused(self._problem("moderation"))
        try:
            return answers.answer(
                body,
                profile,
                created=int(time.time()),
                seed=seed_of(request.body),
                mentions=self.settings.mentions,
                variant=self.settings.variant,
                read=self._read(body, request) if profile != "hunyuan" else None,
                number=next(self._numbers),
            )
        except UnreadableImage as error:
            raise Refused(self._problem("image", str(error))) from error

    async def _embed(self, request: Request, response: Response, fault: Fault | None) -> None:
        body = self._json(request)
        refusal = checks.embedding_problems(body, self.settings.profile, strict=self.settings.strict)
        if refusal is not None:
            raise Refused(refusal)
        made = embeddings(body, self.settings.profile)
        request.bill = Bill(body["model"], made["usage"])
        await self._respond(request, response, made, fault)

    async def _respond(self, request: Request, response: Response, body: Json, fault: Fault | None) -> None:
        await asyncio.sleep(self.settings.first_byte_delay)
        if fault is not None and fault.kind in faults.BROKEN:
            await response.truncated(200, body)
        else:
            pack = self.settings.gzip and "gzip" in request.header("accept-encoding")
            await response.json(200, body, pack=pack)

    async def _stream(self, response: Response, stream: Script) -> None:
        """Send the frames one by one, then end as the script says."""
        await asyncio.sleep(self.settings.first_byte_delay)
        await response.start(200, b"text/event-stream", ((b"cache-control", b"no-cache"), *stream.headers))
        whole = stream.ending == "complete"
        frames = stream.frames if stream.ending != "cut_in_chunk" else stream.frames[:-1]
        for frame in frames[:-1] if whole else frames:
            await response.part(frame)
            if self.settings.chunk_delay:
                await asyncio.sleep(self.settings.chunk_delay)
        if whole:
            await response.part(frames[-1] if frames else b"", last=True)
        elif stream.ending == "stall":
            await asyncio.Event().wait()
        else:
            unfinished = stream.frames[-1] if stream.ending == "cut_in_chunk" else b""
            await response.hang_up(unfinished[: len(unfinished) // 2])


async def _read_body(receive: Receive) -> bytes | None:
    """The request's body, None if the client left before it was whole."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def seed_of(raw: bytes) -> bytes:
    """Something that tells this request from others with the same last message, without hashing megabytes."""
    return hashlib.sha256(b"%d " % len(raw) + raw[-_SEED_BYTES:]).digest()
