"""A client, an endpoint and what is between them, without a connection: for tests of what is remembered of thoughts."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from hunyuan_fix import options
from hunyuan_fix.answers.native import NativeStream
from hunyuan_fix.answers.streamed import RepairedStream
from hunyuan_fix.answers.whole_body import repair_answer
from hunyuan_fix.dialects import NATIVE
from hunyuan_fix.exchange import Exchange
from hunyuan_fix.mending.learnt import Learnt, Taught
from hunyuan_fix.pipeline import Pipeline
from hunyuan_fix.profiles import Model
from hunyuan_fix.steps.base import Outcome
from tests.test_pipeline import RuntimeWithoutGate

type Json = dict[str, Any]

ADA, BOB = b"a" * 16, b"b" * 16
FIELD = "reasoning_content"


def call(name: str = "Bash", arguments: str = "{}", id: str = "functions.Bash:0") -> Json:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def said(content: Any = None, *calls: Json, **fields: Any) -> Json:
    """A message of the assistant's."""
    return {"role": "assistant", "content": content} | ({"tool_calls": list(calls)} if calls else {}) | fields


def user(content: Any) -> Json:
    return {"role": "user", "content": content}


def result(content: str = "done", id: str = "functions.Bash:0") -> Json:
    return {"role": "tool", "tool_call_id": id, "content": content}


def events(message: Json, *, field: str = FIELD, finish: str = "tool_calls") -> list[bytes]:
    """A chat message, as a stream's events."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    thought = message.get(FIELD)
    deltas += [{field: piece} for piece in pieces(thought)] if isinstance(thought, str) else []
    deltas += [{"content": piece} for piece in pieces(message.get("content") or "")]
    for index, one in enumerate(message.get("tool_calls", ())):
        function = one["function"]
        begun = {
            "index": index,
            "id": one["id"],
            "type": "function",
            "function": {"name": function["name"], "arguments": ""},
        }
        deltas.append({"tool_calls": [begun]})
        more = ({"index": index, "function": {"arguments": piece}} for piece in pieces(function["arguments"]))
        deltas += [{"tool_calls": [frame]} for frame in more]
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    return [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks] + [b"data: [DONE]\n\n"]


def pieces(text: str) -> list[str]:
    return [text[start : start + 7] for start in range(0, len(text), 7)]


def whole(message: Json, finish: str = "tool_calls") -> bytes:
    answer = {"id": "chatcmpl-1", "choices": [{"index": 0, "message": message, "finish_reason": finish}]}
    return json.dumps(answer).encode()


class Known(Taught):
    """What is known of a model, whatever its profile says."""

    def __init__(self, model: Model) -> None:
        super().__init__(Learnt(), "", "")
        self._model = model

    def model(self, known: Model, format_: str) -> Model:
        return self._model


class World:
    """A proxy's pipeline, and what it keeps."""

    def __init__(self, runtime: RuntimeWithoutGate | None = None, **given: Any) -> None:
        self.settings = options.parse({f"hunyuan_{name}": value for name, value in given.items()})
        self.runtime = runtime or RuntimeWithoutGate(self.settings)
        self.pipeline = Pipeline(self.settings, self.runtime)

    async def sent(
        self,
        body: Json,
        *,
        profile: str = "moonshot",
        dialect: str = "chat",
        caller: bytes = ADA,
        host: str = "endpoint.example",
        streamed: bool = False,
        mode: str = "repair",
        model: Model | None = None,
    ) -> Exchange:
        """The exchange of a request that has passed the steps; its body is in `chat`.

        `model`: what is known of the model, in the place of what the profile has.
        """
        exchange = Exchange(
            profile=profile,
            dialect=dialect,
            spoken=dialect.removesuffix("-native"),
            base_url=f"https://{host}/v1",
            caller=caller,
            streamed=streamed,
            mode=mode,
        )
        exchange.taught = None if model is None else Known(model)
        body = copy.deepcopy(body)
        if dialect in NATIVE:
            exchange.chat = body
        else:
            assert await self.pipeline.translate(exchange, body, {}) is None
        assert await self.pipeline.request(exchange) is None
        return exchange

    def answered(self, exchange: Exchange, answer: bytes | Iterable[bytes], *, ends: bool = True) -> bytes:
        """What the client gets of an answer, whole or in pieces of a stream. `ends`: it comes to its end."""
        if isinstance(answer, bytes):
            given = repair_answer(exchange, self.pipeline, answer, "", 1 << 30)
            got = answer if given is None else given if isinstance(given, bytes) else given.body
        else:
            exchange.streamed = True
            stream = (
                NativeStream(exchange, written=lambda: self.pipeline.complete(exchange), steps=self.pipeline)
                if exchange.dialect in NATIVE
                else RepairedStream(exchange, self.pipeline, written=lambda: self.pipeline.complete(exchange))
            )
            got = b"".join(piece for data in chain(answer, [b""] if ends else []) for piece in stream(data))
        self.pipeline.done(exchange, Outcome("answered" if ends else "failed", 200, ""))
        return got

    async def ask(self, messages: Sequence[Json], answer: Json, *, stream: bool = False, **given: Any) -> list[Json]:
        """Send a chat request and hear its answer, a message. Returns the messages that were sent."""
        model = given.pop("model", "kimi-k2.6")
        exchange = await self.sent({"model": model, "messages": list(messages)}, **given)
        sent: list[Json] = exchange.chat["messages"]
        self.answered(exchange, events(answer) if stream else whole(answer))
        return sent

    def thoughts(self) -> list[str]:
        """All that is kept."""
        return [thought.text for _, thought in self.runtime.reasoning._thoughts.listed(10_000) if thought]


def lost(message: Json) -> Json:
    """A message without its reasoning."""
    return {key: value for key, value in message.items() if key != FIELD}


def reasoning(messages: Iterable[Json]) -> list[Any]:
    """What each message of the assistant's has."""
    return [message.get(FIELD) for message in messages if message["role"] == "assistant"]
