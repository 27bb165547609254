"""Answers of Tencent Cloud's own API, written as its official samples are (docs/facts/tencent-cloud.md#protocol)."""

from collections.abc import Iterator

from .answers import Answer, pieces_of
from .codec import encode
from .completions import NOTE
from .rows import Json
from .streams import Frames

PADDING = 200_000
"""Characters of the event that the fault `big_event` adds."""


def envelope(inside: Json, request_id: str) -> Json:
    """A whole answer."""
    return {"Response": {"RequestId": request_id, **inside}}


def error(code: str, message: str, request_id: str) -> Json:
    """A refusal."""
    return {"Response": {"Error": {"Code": code, "Message": message}, "RequestId": request_id}}


def completion(answer: Answer) -> Json:
    """The inside of a whole answer of `ChatCompletions`."""
    message: Json = {"Role": "assistant", "Content": answer.text}
    if answer.reasoning:
        message["ReasoningContent"] = answer.reasoning
    if answer.tool_calls:
        message["ToolCalls"] = [
            {"Id": call.id, "Type": "function", "Function": {"Name": call.name, "Arguments": call.arguments}}
            for call in answer.tool_calls
        ]
    return {
        "Note": NOTE,
        "Choices": [{"Index": 0, "Message": message, "FinishReason": _reason(answer)}],
        "Created": answer.created,
        "Id": answer.id,
        "Usage": _usage(answer, 1.0),
    }


def frames(answer: Answer) -> Frames:
    """The events of a stream: the calls come first, then the text; each has the usage so far, and none is `[DONE]`."""
    deltas = list(_deltas(answer))
    said = [_event(_chunk(answer, delta, "", (number + 1) / (len(deltas) + 1))) for number, delta in enumerate(deltas)]
    ending = _event(_chunk(answer, {"Content": ""}, _reason(answer), 1.0))
    broken_off: Json = {"Choices": [], "ErrorMsg": {"Msg": "模型推理超时", "Code": 4001}, "Id": answer.id}
    return Frames(said, [ending], b"", _event(broken_off), b'data: {"Id": "broken", "Choices": [\n\n')


def big(answer: Answer) -> bytes:
    """An event of more than 200 KB: what a search has found."""
    found = {"Index": 1, "Title": "t", "Url": "https://example.com", "Text": "搜" * PADDING}
    return _event(_chunk(answer, {"Content": ""}, "", 0.5) | {"SearchInfo": {"SearchResults": [found]}})


def _deltas(answer: Answer) -> Iterator[Json]:
    for piece in pieces_of(answer.reasoning):
        yield {"Content": "", "ReasoningContent": piece}
    for call in answer.tool_calls:
        yield _frame(call.id, call.name, "")
        for piece in pieces_of(call.arguments):
            yield _frame(call.id, "", piece)
    for piece in answer.pieces:
        yield {"Content": piece}


def _frame(id_: str, name: str, arguments: str) -> Json:
    call: Json = {"Id": id_, "Type": "function", "Function": {"Name": name, "Arguments": arguments}}
    return {"Content": "", "ToolCalls": [call]}


def _chunk(answer: Answer, delta: Json, reason: str, share: float) -> Json:
    return {
        "Note": NOTE,
        "Choices": [{"Delta": {"Role": "assistant", **delta}, "FinishReason": reason}],
        "Created": answer.created,
        "Id": answer.id,
        "Usage": _usage(answer, share),
    }


def _event(event: Json) -> bytes:
    return b"data: " + encode(event) + b"\n\n"


def _reason(answer: Answer) -> str:
    return {"length": "stop", "content_filter": "sensitive"}.get(answer.finish_reason, answer.finish_reason)


def _usage(answer: Answer, share: float) -> Json:
    prompt, written = answer.usage["prompt_tokens"], int(answer.usage["completion_tokens"] * share)
    return {
        "PromptTokens": prompt,
        "CompletionTokens": written,
        "TotalTokens": prompt + written,
        "PromptTokensDetails": {"CachedTokens": str(prompt // 2)},
    }


def embedding(texts: list[str], vectors: list[list[float]]) -> Json:
    """The inside of an answer of `GetEmbedding`. The official sample numbers all of them 0."""
    tokens = sum(-(-len(text) // 2) for text in texts)
    return {
        "Data": [{"Embedding": vector, "Index": index, "Object": "embedding"} for index, vector in enumerate(vectors)],
        "Usage": {"PromptTokens": tokens, "TotalTokens": tokens},
    }


def token_count(text: str) -> Json:
    """The inside of an answer of `GetTokenCount`."""
    return {"TokenCount": -(-len(text) // 2), "CharacterCount": len(text), "Tokens": pieces_of(text)}
