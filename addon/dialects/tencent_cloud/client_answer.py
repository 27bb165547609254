"""Whole answers in Tencent Cloud's shape, in the house language before. Streams of the same answers: `client_stream`.

Nothing here raises: what an endpoint leaves out, or gives in another type, becomes what the vendor's SDK can read.
"""

from __future__ import annotations

import base64
import binascii
import sys
from array import array
from typing import Any, Final

from ...exchange import JsonObject
from ...wire import usage as usages
from .. import ending, spoken
from ..ending import Counts
from .client_request import COUNTED
from .fields import EXTRAS, FINISH_REASONS, to_native

NOTE: Final = "以上内容为AI生成，不代表开发者立场，请勿删除或修改本标记"
"""What each answer of the vendor's says of itself: the mark of generated content, which nobody may remove."""
REQUEST_ID: Final = "request_id"
"""The exchange's id; a key of the note."""


def finish_reason(reason: object) -> str:
    """The vendor's word for why an answer ends: it has none for an answer that was cut."""
    if ending.is_filtered(reason):
        return "sensitive"
    return FINISH_REASONS.get(reason, "stop") if isinstance(reason, str) else "stop"


def completion(chat: JsonObject, note: JsonObject) -> JsonObject:
    """A whole chat answer as that of `ChatCompletions`."""
    given, written = chat.get("choices"), 0
    choices: list[JsonObject] = []
    for place, choice in enumerate(given if isinstance(given, list) else ()):
        if isinstance(choice, dict):
            message = choice.get("message")
            said = _message(message if isinstance(message, dict) else {})
            written += len(said["Content"]) + len(said.get("ReasoningContent", ""))
            reason = choice.get("finish_reason")
            if reason is None and said.get("ToolCalls"):
                reason = "tool_calls"
            choices.append({"Index": place, "Message": said, "FinishReason": finish_reason(reason)})
    return _response(
        {
            "Note": NOTE,
            "Choices": choices,
            "Created": created(chat),
            "Id": identity(chat, note),
            "Usage": usage(usages.of_answer(chat), note, written),
            **extras(chat),
        },
        note,
    )


def embeddings(answer: JsonObject, note: JsonObject) -> JsonObject:
    """The answer to an embeddings request as that of `GetEmbedding`."""
    items = answer.get("data")
    data = [
        {
            "Embedding": _vector(item.get("embedding")),
            "Index": index if type(index := item.get("index")) is int else place,
            "Object": "embedding",
        }
        for place, item in enumerate(items if isinstance(items, list) else ())
        if isinstance(item, dict)
    ]
    counted = usages.counted(answer.get("usage"))
    prompt = counted.get(usages.INPUT, 0)
    return _response({"Data": data, "Usage": {"PromptTokens": prompt, "TotalTokens": prompt}}, note)


def token_count(note: JsonObject) -> JsonObject:
    """The answer of `GetTokenCount`: what the request's text was counted to have.

    The list of the tokens stays empty: they are estimated, and nobody has cut the text.
    """
    tokens, characters = note[COUNTED]
    return _response({"TokenCount": tokens, "CharacterCount": characters, "Tokens": []}, note)


def extras(chat: JsonObject) -> JsonObject:
    """What only an endpoint that speaks this API itself says, of its searches and of itself."""
    if EXTRAS.keys().isdisjoint(chat):
        return {}
    return {native: to_native(chat[name]) for name, native in EXTRAS.items() if chat.get(name) is not None}


def usage(given: JsonObject | None, note: JsonObject, written: int) -> JsonObject:
    """`Usage`, where the endpoint gave `given` and the answer has `written` characters."""
    counted = ending.counts(given, note, written)
    return usage_object(counted, cached=usages.CACHED in usages.counted(given))


def usage_object(counts: Counts, *, cached: bool) -> JsonObject:
    """`Usage` of these counts; with those of the cache, as a text, where the endpoint has `cached` ones."""
    made: JsonObject = {
        "PromptTokens": counts.prompt,
        "CompletionTokens": counts.completion,
        "TotalTokens": counts.prompt + counts.completion,
    }
    return {**made, "PromptTokensDetails": {"CachedTokens": str(counts.cache_read)}} if cached else made


def created(chat: JsonObject) -> int:
    """When the endpoint made the answer, in Unix seconds; 0 where it doesn't say."""
    given = chat.get("created")
    if isinstance(given, bool) or not isinstance(given, int | float):
        return 0
    return int(given) if 0 <= given < 1 << 53 else 0


def identity(chat: JsonObject, note: JsonObject) -> str:
    """The id of the answer: the endpoint's own, else that of the exchange."""
    given = chat.get("id")
    return given if isinstance(given, str) and given else request_id(note)


def request_id(note: JsonObject) -> str:
    """The exchange's id."""
    given = note.get(REQUEST_ID)
    return given if isinstance(given, str) else ""


def call(given: JsonObject, index: int) -> JsonObject:
    """A tool call, or a frame of one, that has the index `index`."""
    name, arguments = spoken.function_of(given)
    identity = given.get("id")
    made: JsonObject = {"Type": "function", "Function": {"Name": name, "Arguments": arguments}, "Index": index}
    return {"Id": identity, **made} if isinstance(identity, str) and identity else made


def said_text(message: JsonObject) -> str:
    """The text of a message or a delta, a refusal too."""
    return spoken.text_of(message.get("content")) + spoken.text_of(message.get("refusal"))


def _message(message: JsonObject) -> JsonObject:
    made: JsonObject = {"Role": "assistant", "Content": said_text(message)}
    if thought := spoken.reasoning_of(message):
        made["ReasoningContent"] = thought
    if calls := [call(given, index) for index, given in enumerate(spoken.calls_of(message))]:
        made["ToolCalls"] = [{"Id": f"call_{number}", **one} for number, one in enumerate(calls)]
    return made


def _vector(given: Any) -> list[Any]:
    """The numbers of a vector, which may be packed (little-endian float32 in base64)."""
    if isinstance(given, list):
        return given
    if not isinstance(given, str):
        return []
    floats = array("f")
    try:
        floats.frombytes(base64.b64decode(given, validate=True))
    except (binascii.Error, ValueError):
        return []
    if sys.byteorder == "big":
        floats.byteswap()
    return floats.tolist()


def _response(answer: JsonObject, note: JsonObject) -> JsonObject:
    return {"Response": {**answer, "RequestId": request_id(note)}}
