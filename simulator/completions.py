"""Writing an answer down: as one completion, or as the chunks of a stream (docs/facts/hunyuan.md#streams)."""

from collections.abc import Iterator

from .answers import Answer, ToolCall, pieces_of
from .rows import THINKERS, Json, ProfileName
from .variant import DOCUMENTED, Variant

NOTE = "以上内容为AI生成，不代表开发者立场，请勿删除或修改本标记"


def completion(answer: Answer, profile: ProfileName, variant: Variant = DOCUMENTED) -> Json:
    """The body of a call without `stream`: prose beside tool calls, `index` in each call, a legacy `note`."""
    message: Json = {"role": "assistant", "content": answer.text}
    if answer.reasoning:
        message[variant.reasoning_field] = answer.reasoning
    if answer.tool_calls:
        message["tool_calls"] = [_whole_call(index, call, profile) for index, call in enumerate(answer.tool_calls)]
    body = _head(answer, "chat.completion") | {
        "choices": [{"index": 0, "message": message, "finish_reason": answer.finish_reason}],
        "usage": answer.usage,
    }
    # The documented samples carry the note with text, but not with tool calls.
    if profile == "hunyuan" and not answer.tool_calls:
        body["note"] = NOTE
    return body


def chunks(
    answer: Answer, profile: ProfileName, *, include_usage: bool = False, variant: Variant = DOCUMENTED
) -> Iterator[Json]:
    """The chunks of a stream, `[DONE]` excluded: reasoning, text, tool calls, finish reason, usage if wanted.

    Moonshot puts the counts into the last choice, whether they are asked for or not.
    """
    head = _head(answer, "chat.completion.chunk")
    tail: Json = {"note": NOTE} if profile == "hunyuan" else {}
    role: Json = {"role": "assistant"}
    for delta in _deltas(answer, profile, variant):
        yield head | {"choices": [{"index": 0, "delta": role | delta, "finish_reason": None}]} | tail
        if profile != "hunyuan":
            role = {}  # only the legacy endpoint repeats it in every delta
    ending: Json = {"index": 0, "delta": role | {"content": ""}, "finish_reason": answer.finish_reason}
    if profile in THINKERS and profile != "deepseek" and variant.usage != "chunk":
        ending["usage"] = answer.usage
    yield head | {"choices": [ending]} | tail
    if include_usage and variant.usage != "choice":
        yield head | {"choices": [], "usage": answer.usage} | tail


def _head(answer: Answer, kind: str) -> Json:
    return {
        "id": answer.id,
        "object": kind,
        "created": answer.created,
        "model": answer.model,
        "system_fingerprint": "",
    }


def _whole_call(index: int, call: ToolCall, profile: ProfileName) -> Json:
    written: Json = {
        "id": call.id,
        "function": {"arguments": call.arguments, "name": call.name},
        "type": _kind(call),
    }
    return written | {"index": index} if profile == "hunyuan" else written


def _kind(call: ToolCall) -> str:
    return "builtin_function" if call.name.startswith("$") else "function"


def _deltas(answer: Answer, profile: ProfileName, variant: Variant) -> Iterator[Json]:
    for piece in pieces_of(answer.reasoning):
        yield {variant.reasoning_field: piece, "content": ""}
    for piece in answer.pieces:
        yield {"content": piece}
    for index, call in enumerate(answer.tool_calls):
        for frame in _call_frames(index, call, profile):
            yield {"tool_calls": [frame]}


def _call_frames(index: int, call: ToolCall, profile: ProfileName) -> Iterator[Json]:
    """A call's frames, as captured from hunyuan-a13b: later ones repeat id and type and carry `"name":""`."""
    first: Json = {"id": call.id, "index": index, "type": _kind(call)}
    yield first | {"function": {"name": call.name, "arguments": ""}}
    for piece in pieces_of(call.arguments):
        if profile == "hunyuan":
            yield first | {"function": {"name": "", "arguments": piece}}
        else:
            yield {"index": index, "function": {"arguments": piece}}
