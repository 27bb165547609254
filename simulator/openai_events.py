"""The Responses API of the simulator: a response as the events of a stream."""

from collections.abc import Iterator, Sequence

from .answers import pieces_of
from .codec import encode
from .rows import Json
from .streams import Frames


def events(response: Json, pieces: Sequence[str]) -> Frames:
    """The events of a stream: one item after the other, then the response."""
    begun = response | {"status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    said: list[Json] = [{"type": f"response.{name}", "response": begun} for name in ("created", "in_progress")]
    for index, item in enumerate(response["output"]):
        said.extend(_item_events(index, item, pieces))
    ending = {"type": f"response.{response['status']}", "response": response}
    error = {"type": "error", "code": "server_error", "message": "Internal server error", "param": None}
    return Frames(
        said=[event(one, number) for number, one in enumerate(said)],
        ending=[],
        done=event(ending, len(said)),
        error=event(error, 0),
        broken=b'event: response.output_text.delta\ndata: {"type": "response.output_te\n\n',
    )


def event(data: Json, number: int) -> bytes:
    """One event: its name is its type."""
    return b"event: %b\ndata: %b\n\n" % (str(data["type"]).encode(), encode(data | {"sequence_number": number}))


def _item_events(index: int, item: Json, pieces: Sequence[str]) -> Iterator[Json]:
    place = {"item_id": item["id"], "output_index": index}
    empty = dict(item)
    for name, nothing in (("content", []), ("summary", []), ("arguments", ""), ("input", "")):
        if isinstance(item.get(name), type(nothing)):
            empty[name] = nothing
    if "status" in item:
        empty["status"] = "in_progress"
    yield {"type": "response.output_item.added", "output_index": index, "item": empty}
    for number, part in enumerate(item.get("summary") or ()):
        at = place | {"summary_index": number}
        yield {"type": "response.reasoning_summary_part.added", **at, "part": part | {"text": ""}}
        yield from _text_events("response.reasoning_summary_text", at, pieces_of(part["text"]))
        yield {"type": "response.reasoning_summary_part.done", **at, "part": part}
    for number, part in enumerate(item.get("content") or ()):
        at = place | {"content_index": number}
        yield {"type": "response.content_part.added", **at, "part": part | {"text": ""}}
        if part["type"] == "output_text":
            yield from _text_events("response.output_text", at | {"logprobs": []}, pieces)
        else:
            yield from _text_events("response.reasoning_text", at, pieces_of(part["text"]))
        yield {"type": "response.content_part.done", **at, "part": part}
    if item["type"] == "function_call":
        for piece in pieces_of(item["arguments"]):
            yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
        done = {"name": item["name"], "arguments": item["arguments"]}
        yield {"type": "response.function_call_arguments.done", **place, **done}
    elif item["type"] == "custom_tool_call":
        for piece in pieces_of(item["input"]):
            yield {"type": "response.custom_tool_call_input.delta", **place, "delta": piece}
        yield {"type": "response.custom_tool_call_input.done", **place, "input": item["input"]}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _text_events(name: str, at: Json, pieces: Sequence[str]) -> Iterator[Json]:
    for piece in pieces:
        yield {"type": f"{name}.delta", **at, "delta": piece}
    yield {"type": f"{name}.done", **at, "text": "".join(pieces)}
