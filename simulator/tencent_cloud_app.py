"""Tencent Cloud's own API as an application: one path, the action in a header, HTTP 200 whatever happens."""

import asyncio
import time
import uuid
from email.utils import formatdate
from typing import Any

from . import answers, streams, tencent_cloud, tencent_cloud_answers
from .app import Refused, Simulator, seed_of
from .codec import decode
from .content import image_urls
from .embeddings import vector
from .faults import Fault
from .journal import Request
from .responses import Headers, Response
from .rows import Json, Problem
from .settings import Settings
from .streams import Script
from .tencent_cloud import Error, Native
from .vision import UnreadableImage

_OF_ROWS = {
    "A4": ("RequestLimitExceeded", "请求的次数超过了频率限制。"),
    "A4b": ("FailedOperation.EngineServerLimitExceeded", "引擎层请求超过限额。"),
    "A5": ("InvalidParameterValue.Model", "模型不存在。"),
    "A8": ("FailedOperation.ResourcePackExhausted", "资源包余量已用尽，请购买资源包或开通后付费。"),
    "A10": ("ActionOffline", "接口已下线。"),
    "overload": ("ResourceInsufficient", "资源不足。"),
}
"""What a row of the OpenAI-compatible host is here."""


class TencentCloud(Simulator):
    """The native stand-in. Faults are the same; `native:CODE` refuses with that code."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        assert settings.native is not None
        self._native: Native = settings.native

    def _admit(self, request: Request) -> None:
        try:
            tencent_cloud.admitted(request, self._native)
        except Error as error:
            raise _refused(error) from error
        if 0 < self.settings.concurrency < self.journal.active:
            raise _refused(Error(*_OF_ROWS["A4"]))

    async def _route(self, request: Request, response: Response, fault: Fault | None) -> None:
        if fault is not None and fault.kind == "native":
            raise _refused(Error(fault.text, "fault on request"))
        body = self._json(request)
        try:
            match request.header("x-tc-action"):
                case "ChatCompletions":
                    await self._completions(request, response, tencent_cloud.as_chat(body), fault)
                case "GetEmbedding":
                    texts = tencent_cloud.texts(body)
                    made = tencent_cloud_answers.embedding(texts, [vector(text) for text in texts])
                    await self._say(response, made, fault)
                case _:
                    await self._say(response, tencent_cloud_answers.token_count(tencent_cloud.prompt(body)), fault)
        except Error as error:
            raise _refused(error) from error

    def _json(self, request: Request) -> Any:
        try:
            return decode(request.body)
        except ValueError as error:
            raise _refused(Error("InvalidParameter", f"The request body is no JSON: {error}")) from error

    async def _completions(self, request: Request, response: Response, chat: Json, fault: Fault | None) -> None:
        if any(image_urls(chat)):
            self.journal.vision_calls += 1
        try:
            answer = answers.answer(
                chat, "hunyuan", created=int(time.time()), seed=seed_of(request.body), mentions=self.settings.mentions
            )
        except UnreadableImage as error:
            raise _refused(Error("InvalidParameterValue.ImageRequestError", str(error))) from error
        if not chat["stream"]:
            await self._say(response, tencent_cloud_answers.completion(answer), fault)
            return
        whole = tencent_cloud_answers.frames(answer)
        script = streams.script(whole, fault)
        frames = [frame for frame in script.frames if frame]
        if fault is not None and fault.kind == "tabs":
            frames = [frame.replace(b"\n\n", b"\n\t\n") for frame in frames]
        elif fault is not None and fault.kind == "big_event":
            frames.insert(1, tencent_cloud_answers.big(answer))
        elif fault is not None and fault.kind == "no_final_blank":
            frames[-1] = frames[-1].rstrip(b"\n")
        await self._stream(response, Script(frames, script.ending, (*script.headers, *self._headers())))

    async def _say(self, response: Response, inside: Json, fault: Fault | None) -> None:
        await asyncio.sleep(self.settings.first_byte_delay)
        headers = self._headers()
        whole = tencent_cloud_answers.envelope(inside, headers[0][1].decode())
        if fault is not None and fault.kind in ("cut", "cut_in_chunk", "truncate_body"):
            await response.truncated(200, whole)
        else:
            await response.json(200, whole, headers)

    async def _refuse(
        self, request: Request, response: Response, refusal: Problem, retry_after: str | None = None
    ) -> None:
        code, message = _OF_ROWS.get(refusal.row, ("InternalError", "内部错误。"))
        error = refusal.body if "Code" in refusal.body else {"Code": code, "Message": message}
        self.journal.refused(request, Problem(error["Code"], 200, error, refusal.detail))
        headers = self._headers()
        body = tencent_cloud_answers.error(error["Code"], error["Message"], headers[0][1].decode())
        await response.json(200, body, headers)

    def _headers(self) -> Headers:
        """The request's id, and the time by the stand-in's clock."""
        date = formatdate(self._native.now(), usegmt=True)
        return (b"x-tc-requestid", str(uuid.uuid4()).encode()), (b"date", date.encode())


def _refused(error: Error) -> Refused:
    return Refused(Problem(error.code, 200, {"Code": error.code, "Message": error.message}, error.message))
