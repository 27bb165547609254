"""What the tests of the seams plug in: a client's format, an upstream's, a signer and a step, as small as can be.

Each is a complete example of what a new one has to do (docs/contributing.md). The toy format has one text a side:

    request   {"model": "m", "say": "hi", "live": true}
    answer    {"reply": "hello", "used": 7}
    stream    data: {"more": "hel"}  …  data: {"end": "stop"}
    error     {"oops": "what is wrong"}
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping

from hunyuan_fix.dialects.base import BadRequest, Demands, House
from hunyuan_fix.exchange import Change, Exchange, JsonObject, Response
from hunyuan_fix.steps.base import Outcome, Step
from hunyuan_fix.upstream.signing import Headers, Unsigned, UnusableCredentials, replaced
from hunyuan_fix.wire import json_body, sse


def text_of(chat: JsonObject) -> str:
    """The text of a whole chat answer, or of a chunk."""
    choice = (chat.get("choices") or [{}])[0]
    return str((choice.get("message") or choice.get("delta") or {}).get("content") or "")


class ToyWriter:
    """A streamed answer in the toy format."""

    def feed(self, chunk: JsonObject) -> list[bytes]:
        text = text_of(chunk)
        return [sse.event(json_body.serialise({"more": text}))] if text else []

    def finish(self) -> list[bytes]:
        return [sse.event(json_body.serialise({"end": "stop"}))]

    def fail(self, error: JsonObject) -> list[bytes]:
        return [sse.event(json_body.serialise({"oops": str(error.get("message"))}))]

    def keep_alive(self) -> list[bytes]:
        return [b": toy\n\n"]


class ToyDialect:
    """A format that clients speak."""

    name = "toy"
    paths: tuple[str, ...] = ("/toy",)
    house: House = "chat"
    is_house = False

    def to_chat(self, body: JsonObject, headers: Mapping[str, str], note: JsonObject) -> JsonObject:
        if not isinstance(body.get("say"), str):
            raise BadRequest("say must be a text.", "say")
        note["loud"] = body["say"].isupper()
        chat: JsonObject = {"model": body.get("model"), "messages": [{"role": "user", "content": body["say"]}]}
        if body.get("live"):
            chat["stream"] = True
        return chat

    def answer(self, chat: JsonObject, note: JsonObject) -> JsonObject:
        text = text_of(chat)
        used = (chat.get("usage") or {}).get("total_tokens", 0)
        return {"reply": text.upper() if note.get("loud") else text, "used": used}

    def stream(self, note: JsonObject) -> ToyWriter:
        return ToyWriter()

    def error(self, response: Response, note: JsonObject) -> Response:
        error = (json_body.parse_object(response.body) or {}).get("error")
        message = error.get("message") if isinstance(error, dict) else None
        body = json_body.serialise({"oops": str(message or "the endpoint failed")})
        return Response(response.status, {**response.headers, "content-type": "application/json"}, body)


class ToyUpstream:
    """A format that an upstream speaks: the same on the wire."""

    name = "toy-upstream"
    is_house = False
    lists_models = True

    def headers(self, house: House) -> Mapping[str, str]:
        return {"toy-version": "1"}

    def path(self, house: House) -> str:
        return "/toy"

    def request(self, chat: JsonObject, demands: Demands, note: JsonObject) -> JsonObject:
        if "input" in chat:  # embeddings
            return {"model": chat["model"], "texts": chat["input"]}
        note["messages"] = len(chat["messages"])
        said = [str(message["content"]) for message in chat["messages"]]
        return {"model": chat["model"], "say": "\n".join(said), "live": chat.get("stream") is True}

    def answer(self, body: JsonObject, note: JsonObject) -> JsonObject:
        if "oops" in body:
            return {"error": {"message": body["oops"], "type": "toy", "code": "toy_failed"}}
        if "vectors" in body:
            data = [{"index": index, "embedding": vector} for index, vector in enumerate(body["vectors"])]
            return {"data": data, "usage": {"total_tokens": body["used"]}}
        message = {"role": "assistant", "content": body["reply"]}
        usage = {"total_tokens": body["used"], "prompt_tokens": note["messages"], "completion_tokens": 0}
        return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}

    def events(self, event: JsonObject, note: JsonObject) -> list[JsonObject]:
        if "oops" in event:
            return [{"error": {"message": event["oops"], "type": "toy"}}]
        if "end" in event:
            return [{"choices": [{"index": 0, "delta": {}, "finish_reason": event["end"]}]}]
        return [{"choices": [{"index": 0, "delta": {"content": event.get("more", "")}}]}]

    def repeated(self, data: bytes, chunks: list[JsonObject], made: bytes) -> None:
        return None

    def goes_on(self, raw: bytes) -> bool:
        return False

    def error(self, status: int, body: bytes) -> bytes:
        found = json_body.parse_object(body)
        if found is None or "oops" not in found:
            return body
        return json_body.serialise({"error": {"message": found["oops"], "type": "toy", "code": "toy_failed"}})


class ToySigner:
    """Signs method, URL, body and time with the secret of `id:secret`, which doesn't leave."""

    def sign(self, request: Unsigned, credentials: str, now: float) -> Headers:
        account, colon, secret = credentials.partition(":")
        if not (account and colon and secret):
            raise UnusableCredentials("id:secret is needed")
        value = signature(secret, request.method, request.url, request.body, f"{now:.3f}")
        new = {"Authorization": f"TOY {account}", "X-Toy-Time": f"{now:.3f}", "X-Toy-Signature": value}
        return replaced(request.headers, new)


def signature(secret: str, method: str, url: str, body: bytes, time: str) -> str:
    """What the toy signer writes; `body` are the bytes that arrive."""
    return hmac.new(secret.encode(), f"{method} {url} {time} ".encode() + body, hashlib.sha256).hexdigest()


class ToyStep(Step):
    """Takes a secret word out of the question, and puts it into the answer where its place is marked.

    A question that holds `local` is answered here. `ended` has how the exchanges ended.
    """

    name = "toy"
    ended: list[tuple[JsonObject, Outcome]]

    async def request(self, exchange: Exchange) -> Response | None:
        message = exchange.chat["messages"][-1]
        if "local" in message["content"]:
            answer = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "WORD"}}]}
            return Response(200, {"content-type": "application/json"}, json.dumps(answer).encode())
        before, found, after = message["content"].partition("swordfish")
        if found:
            message["content"] = f"{before}WORD{after}"
            exchange.notes[self.name] = {"word": found}
            exchange.note([Change(self.name, "/messages", "a word doesn't leave")])
        return None

    def answer(self, exchange: Exchange, answer: JsonObject) -> bool:
        changed = False
        for choice in answer.get("choices", []):
            changed = self._put_back(exchange, choice["message"]) or changed
        return changed

    def chunk(self, exchange: Exchange, chunk: JsonObject) -> Iterable[JsonObject]:
        for choice in chunk.get("choices", []):
            self._put_back(exchange, choice["delta"])
        return (chunk,)

    def done(self, exchange: Exchange, outcome: Outcome) -> None:
        self.ended.append((exchange.notes.get(self.name, {}), outcome))

    def _put_back(self, exchange: Exchange, message: JsonObject) -> bool:
        word = exchange.notes.get(self.name, {}).get("word")
        if not word or "WORD" not in str(message.get("content")):
            return False
        message["content"] = message["content"].replace("WORD", word)
        return True
