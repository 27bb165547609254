"""Requests with secrets in every place that has room for one, and answers that quote them: for `test_secrets`.

`KEY` is in everything that is a key, a token or a password, `WORD` in everything that a conversation holds.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.proxying import Answer, Arrived, chat_answer, json_answer, stream_answer
from tests.vision_server import image_part, png

KEY, WORD = "QZKEYQZ", "QZWORDQZ"
LENT = f"sk-lent{KEY}"
OWN = f"sk-own{KEY}"
TOKEN = f"hf-{KEY}{'a' * 36}"
ODD_TOKEN = f"hf-{KEY}{'b' * 36}"
"""One that no client has."""

_TEXT = f"a {WORD} text"
_USER = {"role": "user", "content": _TEXT}
_CHAT = {"model": "hunyuan-lite", "messages": [_USER]}
_IMAGE = image_part(png(WORD))
_TOOLS = [{"type": "function", "function": {"name": "look", "description": _TEXT, "parameters": {"type": "object"}}}]
_CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": json.dumps({"at": _TEXT})}}
_PDF = "data:application/pdf;base64," + base64.b64encode(f"%PDF-1.4 {WORD}".encode()).decode()
_USED = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}

type Says = Answer | Callable[[Arrived], Answer]


def _chunk(delta: Mapping[str, Any], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return b"data: %b\n\n" % json.dumps({"id": "1", "object": "chat.completion.chunk", "choices": [choice]}).encode()


def _events(*events: Mapping[str, Any]) -> Answer:
    return stream_answer(
        *(b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), json.dumps(event).encode()) for event in events)
    )


_DONE = b"data: [DONE]\n\n"
_STREAM = stream_answer(
    _chunk({"role": "assistant", "reasoning_content": _TEXT}),
    _chunk({"content": _TEXT}),
    _chunk({"tool_calls": [{"index": 0, **_CALL}]}),
    _chunk({}, "tool_calls"),
    _DONE,
)
_WHOLE = json_answer(
    {
        "id": "chat-1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": _TEXT, "reasoning_content": _TEXT, "tool_calls": [_CALL]},
                "finish_reason": "tool_calls",
            }
        ],
        "usage": _USED,
    }
)


async def _torn() -> AsyncIterator[bytes]:
    yield _chunk({"content": _TEXT})
    raise ConnectionError


def _quoting(status: int, code: str = "invalid_api_key", kind: str = _TEXT) -> Callable[[Arrived], Answer]:
    """An error that quotes the key that came, and the conversation."""

    def answer(request: Arrived) -> Answer:
        keys = [text for name, text in request.headers.items() if KEY in text]
        said = f"Incorrect API key provided: {keys}. You said: {_TEXT}"
        return json_answer({"error": {"message": said, "type": kind, "param": _TEXT, "code": code}}, status)

    return answer


def _once_refused(message: str) -> Callable[[Arrived], Answer]:
    """An error that can be mended, then an answer."""
    refused: list[Arrived] = []

    def answer(request: Arrived) -> Answer:
        refused.append(request)
        return json_answer({"error": {"message": message}}, 400) if len(refused) == 1 else _WHOLE

    return answer


@dataclass(frozen=True, slots=True)
class Way:
    """A request, its answer, and what its client sees: the status, or `None` if it gets no whole answer."""

    name: str
    body: Any = field(default_factory=lambda: _CHAT)
    path: str = "/chat/completions"
    answer: Says = _WHOLE
    headers: Mapping[str, str] = field(default_factory=lambda: {"authorization": f"Bearer {OWN}"})
    method: str = "POST"
    leaves: bool = False
    """The client leaves in the middle of the answer."""


def _own(**more: str) -> dict[str, str]:
    return {"authorization": f"Bearer {OWN}", **{name.replace("_", "-"): text for name, text in more.items()}}


def _chat(*parts: Any, **more: Any) -> dict[str, Any]:
    return {"model": "hunyuan-lite", "messages": [{"role": "user", "content": [*parts]}], **more}


_ANTHROPIC = {
    "model": "hunyuan-lite",
    "max_tokens": 99,
    "system": [{"type": "text", "text": _TEXT}],
    "metadata": {"user_id": f"user_{WORD}"},
    "tools": [{"name": "look", "description": _TEXT, "input_schema": {"type": "object"}}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": _TEXT}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": _TEXT, "signature": WORD},
                {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": _TEXT}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": _TEXT},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": png(WORD).partition(",")[2]},
                },
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": _TEXT}},
            ],
        },
    ],
}
_ANTHROPIC_HEADERS = {"x-api-key": OWN, "anthropic-version": "2023-06-01"}
_RESPONSES = {
    "model": "hunyuan-lite",
    "instructions": _TEXT,
    "tools": [{"type": "function", "name": "look", "description": _TEXT, "parameters": {"type": "object"}}],
    "input": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": _TEXT}]},
        {"type": "reasoning", "id": "r1", "summary": [{"type": "summary_text", "text": _TEXT}]},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": json.dumps({"at": _TEXT})},
        {"type": "function_call_output", "call_id": "c1", "output": _TEXT},
        {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": png(WORD + "r")}]},
    ],
}
_MESSAGE = {"id": "m1", "type": "message", "role": "assistant", "model": "hy3", "usage": {"input_tokens": 1}}
_NATIVE = _events(
    {"type": "message_start", "message": {**_MESSAGE, "content": []}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": _TEXT}},
    {"type": "error", "error": {"type": "overloaded_error", "message": f"{_TEXT} {OWN}"}},
)


def ways() -> Iterable[Way]:
    """All of them, anew: some answers remember what came."""
    # Keys: the client's own in every header, the lent one, tokens, in the query, where a key doesn't belong.
    yield Way("own key")
    yield Way("lent key", headers={})
    yield Way("token", headers={"authorization": f"Bearer {TOKEN}"})
    yield Way("unknown token", headers={"authorization": f"Bearer {ODD_TOKEN}"})
    yield Way("token in the body", {**_CHAT, "metadata": {"x": TOKEN}})
    for name in ("x-api-key", "api-key", "x-goog-api-key", "cookie", "x-auth-token", "ocp-apim-subscription-key"):
        yield Way(f"key in {name}", headers={name: OWN})
    yield Way("basic", headers={"authorization": "Basic " + base64.b64encode(f"me:{KEY}".encode()).decode()})
    yield Way("key in the query", path=f"/chat/completions?key={OWN}&api_key={OWN}&access_token={OWN}")
    yield Way("key as id of the request", headers=_own(x_request_id=OWN))
    yield Way("key as user agent", headers=_own(user_agent=f"tool/1 {OWN}", referer=f"http://a/?token={KEY}"))
    yield Way("key as mode", headers=_own(x_hunyuan_mode=OWN))
    yield Way("words as session", {**_CHAT, "prompt_cache_key": WORD}, headers=_own(session_id=WORD, x_session_id=WORD))
    # Contents of chat.
    system = {"role": "system", "content": _TEXT}
    reply = {"role": "assistant", "content": _TEXT, "reasoning_content": _TEXT, "tool_calls": [_CALL]}
    result = {"role": "tool", "tool_call_id": "c1", "content": _TEXT}
    agent = {"model": "hunyuan-lite", "tools": _TOOLS, "messages": [system, _USER, reply, result, _USER]}
    yield Way("agent", agent)
    yield Way("agent, streamed", {**agent, "stream": True}, answer=_STREAM)
    yield Way("odd history", {**_CHAT, "messages": [reply, system, result, result, _USER, _USER], "user": WORD})
    yield Way("image", _chat({"type": "text", "text": _TEXT}, _IMAGE))
    yield Way("image again, another question", _chat({"type": "text", "text": WORD}, _IMAGE))
    yield Way("remote image", _chat(image_part(f"https://me:{WORD}@images.example/a.png?sig={WORD}")))
    yield Way("image that is none", _chat(image_part(f"data:image/png;base64,{WORD}")))
    yield Way("image in a result", {**agent, "messages": [*agent["messages"], {**result, "content": [_IMAGE]}]})
    yield Way("image the vision model refuses", _chat(image_part(png(f"refused {WORD}"))))
    yield Way("PDF", _chat({"type": "file", "file": {"filename": f"{WORD}.pdf", "file_data": _PDF}}))
    yield Way("no JSON", b'{"messages": "' + WORD.encode())
    yield Way("no object", [WORD])
    yield Way("no messages", {"model": "hunyuan-lite", "messages": WORD})
    yield Way("too large", {**_CHAT, "pad": WORD * 100_000})
    yield Way("words as parameters", {**_CHAT, "temperature": WORD, "tool_choice": WORD, WORD: WORD, "n": WORD})
    # The endpoint's answers.
    for status in (400, 401, 403, 404, 413, 422, 429, 500, 503):
        yield Way(f"{status}", answer=_quoting(status))
        yield Way(f"{status} of Messages", _ANTHROPIC, "/messages", _quoting(status), _ANTHROPIC_HEADERS)
    yield Way("quota used up", answer=_quoting(429, kind="exceeded_current_quota_error"))
    yield Way("a success that is an error", answer=_quoting(200))
    yield Way("a page", answer=Answer(200, {"content-type": "text/html"}, [f"<html>{OWN} {_TEXT}".encode()]))
    yield Way("a page as an error", answer=Answer(502, {"content-type": "text/html"}, [f"<p>{_TEXT}".encode()]))
    yield Way("damaged", answer=Answer(200, {"content-type": "application/json"}, [f'{{"choices": [{WORD}'.encode()]))
    packed = {"content-type": "application/json", "content-encoding": "gzip"}
    yield Way("badly packed", answer=Answer(200, packed, [WORD.encode()]))
    yield Way("cut", answer=Answer(200, {"content-length": "999"}, [WORD.encode()]))
    event_stream = {"content-type": "text/event-stream"}
    streamed = {**_CHAT, "stream": True}
    yield Way("stream", streamed, answer=_STREAM)
    yield Way("cut stream", streamed, answer=Answer(200, event_stream, _torn()))
    yield Way("stream without an end", streamed, answer=stream_answer(_chunk({"content": _TEXT})))
    error = {"error": {"message": f"{_TEXT} {OWN}", "code": OWN, "type": _TEXT}}
    yield Way("error in a stream", streamed, answer=stream_answer(b"data: %b\n\n" % json.dumps(error).encode()))
    yield Way("odd stream", streamed, answer=stream_answer(f"data: {WORD}\n\n: {WORD}\n\n".encode(), _DONE))
    whole = {"choices": [{"index": 0, "message": {"content": _TEXT}, "finish_reason": "stop"}]}
    yield Way("whole in a stream's place", streamed, answer=json_answer(whole))
    yield Way("left", streamed, answer=_STREAM, leaves=True)
    yield Way(
        "mended",
        {**_CHAT, "max_tokens": 500},
        answer=_once_refused(
            f"max_tokens is too large: 500. This model supports at most 100 completion tokens. {_TEXT} {OWN}"
        ),
    )
    # Other formats.
    yield Way("Messages", _ANTHROPIC, "/messages", _WHOLE, _ANTHROPIC_HEADERS)
    yield Way("Messages, streamed", {**_ANTHROPIC, "stream": True}, "/messages", _STREAM, _ANTHROPIC_HEADERS)
    yield Way("Messages, native", {**_ANTHROPIC, "stream": True}, "/messages", _NATIVE, _ANTHROPIC_HEADERS)
    yield Way("Messages, wrong", {**_ANTHROPIC, "messages": WORD}, "/messages", _WHOLE, _ANTHROPIC_HEADERS)
    yield Way("count", _ANTHROPIC, "/messages/count_tokens", _WHOLE, _ANTHROPIC_HEADERS)
    yield Way("Responses", _RESPONSES, "/responses")
    yield Way("Responses, streamed", {**_RESPONSES, "stream": True}, "/responses", _STREAM)
    yield Way("Responses, wrong", {**_RESPONSES, "input": {"a": WORD}}, "/responses")
    yield Way("Responses, refused", _RESPONSES, "/responses", _quoting(401))
    yield Way("Responses, unknown", {**_RESPONSES, "previous_response_id": "resp_none"}, "/responses")
    yield Way("embeddings", {"model": "hunyuan-embedding", "input": [_TEXT, _TEXT]}, "/embeddings", _quoting(400))
    yield Way("embeddings, wrong", {"model": "hunyuan-embedding", "input": [[1, 2]], "user": WORD}, "/embeddings")
    yield Way("models", None, "/models", _quoting(401), method="GET")
    yield Way("another path", {"input": _TEXT}, f"/audio/speech?token={OWN}", _quoting(500))
    # Modes of one request.
    for mode in ("observe", "off"):
        yield Way(f"{mode}", agent, headers=_own(x_hunyuan_mode=mode))
        yield Way(f"{mode}, streamed", {**agent, "stream": True}, answer=_STREAM, headers=_own(x_hunyuan_mode=mode))
        yield Way(f"{mode}, refused", agent, answer=_quoting(400), headers=_own(x_hunyuan_mode=mode))
        yield Way(f"{mode}, image", _chat(_IMAGE), headers=_own(x_hunyuan_mode=mode))


def seen(request: Arrived) -> Answer:
    """What the vision model says."""
    if b"refused" in base64.b64decode(request.body.partition(b"base64,")[2].partition(b'"')[0] + b"==="):
        return _quoting(400)(request)
    return chat_answer(f"a picture of a {WORD}")


def traces_of(secret: str) -> set[bytes]:
    """How `secret` may be written in an output: as it is, and in base64 wherever it begins there."""
    found = {secret.encode()}
    for before in range(3):
        text = base64.b64encode(b"x" * before + secret.encode())
        # Without the characters that also depend on what stands before and behind.
        found.add(text[(0, 2, 3)[before] : len(text) - 4])
    return found
