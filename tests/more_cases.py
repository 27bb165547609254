"""More variants of the reported kinds in tests/cases: the same right values, other inputs."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

MODEL = "hunyuan-turbos-latest"
MODELS = {"hunyuan": MODEL, "tokenhub": "hy3"}
"""A model that each of the two endpoints has."""
HEAD = {"id": "f" * 32, "object": "chat.completion.chunk", "created": 1, "model": "hunyuan"}


def tool(name: str = "read_note", **function: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"path": {"type": "string"}}}
    return {"type": "function", "function": {"name": name, "description": "made up", "parameters": schema} | function}


def asked(*, stream: bool = True, **beside: Any) -> dict[str, Any]:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Read both notes."}], "tools": [tool()]}
    return (body | {"stream": True} if stream else body) | beside


def event(delta: Any, reason: Any = None, **choice: Any) -> str:
    chunk = HEAD | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason} | choice]}
    return f"data: {json.dumps(chunk)}\n\n"


def frame(arguments: Any = ..., *, name: Any = ..., **call: Any) -> dict[str, Any]:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not ...}
    return call | {"function": function}


def head(identity: Any = ..., arguments: Any = "", name: str = "read_note", **call: Any) -> dict[str, Any]:
    given = {} if identity is ... else {"id": identity, "type": "function"}
    return frame(arguments, name=name, **given, **call)


def streamed(*deltas: list[dict[str, Any]], reason: Any = "tool_calls", done: bool = True) -> dict[str, Any]:
    chunks = [event({"role": "assistant", "content": ""}), *(event({"tool_calls": calls}) for calls in deltas)]
    if reason is not ...:
        chunks.append(event({}, reason))
    return {"chunks": [*chunks, "data: [DONE]\n\n"] if done else chunks}


def whole(calls: list[Any], reason: Any = "tool_calls", **message: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": None, "tool_calls": calls} | message
    choice = {"index": 0, "message": said, "finish_reason": reason}
    return {"json": HEAD | {"object": "chat.completion", "choices": [choice], "usage": {"total_tokens": 2}}}


A, B = '{"path":"a.md"}', '{"path":"b.md"}'

STREAMS: dict[str, dict[str, Any]] = {
    "01 two_in_one_event": streamed([head("c1", A, index=0), head("c2", B, index=0)]),
    "01 names_alone_on_0": streamed([head(..., A, index=0)], [head(..., B, index=0)]),
    "01 interleaved_by_id_on_0": streamed(
        [head("c1", index=0)],
        [head("c2", index=0)],
        [frame(A[:5], id="c1", index=0)],
        [frame(B[:5], id="c2", index=0)],
        [frame(A[5:], id="c1", index=0)],
        [frame(B[5:], id="c2", index=0)],
    ),
    "01 empty_ids_in_tails": streamed(
        [head("c1", index=0)], [frame(A, id="", index=0)], [head("c2", index=0)], [frame(B, id="", index=0)]
    ),
    "01 from_1": streamed([head("c1", A, index=1)], [head("c2", index=2)], [frame(B, index=2)]),
    "01 index_grows_with_each_frame": streamed(
        [head("c1", index=0)], [frame(A, index=1)], [head("c2", index=2)], [frame(B, index=3)]
    ),
    "01 names_repeated_in_every_frame": streamed(
        [head("c1", A[:4], index=0)],
        [head("c1", A[4:], index=0)],
        [head("c2", B[:4], index=0)],
        [head("c2", B[4:], index=0)],
    ),
    "02 null_and_true": streamed([head("c1", A, index=None)], [head("c2", B, index=True)]),
    "02 floats": streamed(
        [head("c1", index=0.0)], [head("c2", index=1.0)], [frame(A, index=0.0)], [frame(B, index=1.0)]
    ),
    "02 negative": streamed([head("c1", A, index=-1)], [head("c2", B, index=-1)]),
    "02 no_index_no_id": streamed([head(..., A)], [head(..., B)]),
    "02 far_apart": streamed([head("c1", A, index=5)], [head("c2", B, index=900)]),
    "02 texts_that_are_no_numbers": streamed([head("c1", A, index="first")], [head("c2", B, index="second")]),
    "02 both_in_one_event_without_index": streamed([head("c1", A), head("c2", B)]),
}
ARGUMENTS: dict[str, tuple[dict[str, Any], Any]] = {
    "stream_absent": (streamed([head("c1", ..., index=0)]), {}),
    "stream_null_alone": (streamed([head("c1", None, index=0)]), {}),
    "stream_empty_object": (streamed([head("c1", {}, index=0)]), {}),
    "stream_object_without_head": (streamed([head("c1", "", index=0)], [frame({"path": "a.md"}, index=0)]), A),
    "whole_null": (whole([head("c1", None)]), {}),
    "whole_empty": (whole([head("c1", "")]), {}),
}
REASONS: dict[str, tuple[dict[str, Any], str]] = {
    "stream_none_but_done": (streamed([head("c1", A, index=0)], reason=...), "tool_calls"),
    "stream_null_but_done": (streamed([head("c1", A, index=0)], reason=None), "tool_calls"),
    "stream_empty_but_done": (streamed([head("c1", A, index=0)], reason=""), "tool_calls"),
    "stream_foreign": (streamed([head("c1", A, index=0)], reason="eos_token"), "tool_calls"),
    "stream_capitals": (streamed([head("c1", A, index=0)], reason="STOP"), "tool_calls"),
    "stream_content_filter": (streamed([head("c1", A, index=0)], reason="content_filter"), "content_filter"),
    "whole_null": (whole([head("c1", A)], None), "tool_calls"),
    "whole_foreign": (whole([head("c1", A)], "end_turn"), "tool_calls"),
    "whole_length": (whole([head("c1", A[:5])], "length"), "length"),
    "whole_stop_without_calls": (whole([], "stop", content="Done."), "stop"),
}
PAST_ARGUMENTS: dict[str, Any] = {
    "list": '["a.md"]',
    "number": "42",
    "nan": '{"path": NaN}',
    "single_quotes": "{'path': 'a.md'}",
    "prose": "I would read the note a.md",
    "blank": "  \n",
    "half_character": '{"path": "a\\ud83d"',
    "deep": "[" * 5000,
    "given_as_object": {"path": "a.md"},
    "given_as_list": ["a.md"],
    "given_as_null": None,
    "thrice_encoded": json.dumps(json.dumps(json.dumps({"path": "a.md"}))),
    "bom": "\ufeff" + A,
    "true": "true",
}
SCHEMAS: dict[str, Any] = {
    "list": [],
    "text": "object",
    "empty": {},
    "type_list": {"type": ["object", "null"], "properties": {}},
    "any_of": {"anyOf": [{"type": "object", "properties": {"path": {"type": "string"}}}]},
    "required_null": {"type": "object", "properties": {"path": {"type": "string"}}, "required": None},
    "type_none": {"type": "None", "properties": {}},
    "root_array": {"type": "array", "items": {"type": "string"}},
    "properties_text": {"type": "object", "properties": "none"},
}
PATHS = (
    "/v1/chat/completions//",
    "//v1/chat/completions",
    "/v1//chat/completions",
    "/v1/chat//completions/",
    "/V1/Chat/Completions",
    "/v1/CHAT/COMPLETIONS/",
    "/v1/chat/completions/?beta=true",
    "/v1/v1/chat/completions/",
)
CONTENTS: dict[str, tuple[Any, str]] = {
    "bool": (True, "true"),
    "text_part_alone": ({"type": "text", "text": "Made-up Street 3"}, "Made-up Street 3"),
    "list_of_texts": (["Made-up Street 3"], "Made-up Street 3"),
    "nested_twice": ([[["Made-up Street 3"]]], "Made-up Street 3"),
    "object_in_list": ([{"address": "Made-up Street 3"}], '{"address":"Made-up Street 3"}'),
    "float": (1.5, "1.5"),
}
PNG = base64.b64encode(
    base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=") * 3
).decode()
URL = f"data:image/png;base64,{PNG}"
IMAGES: dict[str, Any] = {
    "media": [{"type": "media", "data": PNG, "mimeType": "image/png"}],
    "image_data": [{"type": "image-data", "data": PNG, "mediaType": "image/png"}],
    "anthropic": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}],
    "input_image": [{"type": "input_image", "image_url": URL}],
    "file_by_type": [{"type": "file", "data": PNG, "mediaType": "image/png", "filename": "a.png"}],
    "bare_part": {"type": "image_url", "image_url": {"url": URL}},
    "no_type": [{"image_url": {"url": URL}}],
    "wrong_type": [{"type": "image_url", "image_url": {"url": URL.replace("image/png", "application/octet-stream")}}],
    "bare_base64_as_url": [{"type": "image_url", "image_url": {"url": PNG}}],
    "line_breaks": [{"type": "image", "data": "\n".join(PNG[at : at + 76] for at in range(0, len(PNG), 76))}],
    "markdown": f"Took it. ![shot]({URL})",
    "bare_text": PNG,
    "json_text": json.dumps({"note": "Took it.", "screenshot": PNG}),
    "json_text_of_mcp_parts": json.dumps([{"type": "text", "text": "Took it."}, {"type": "image", "data": PNG}]),
    "json_in_json": json.dumps({"result": json.dumps({"image": URL})}),
    "capitals": [{"type": "image_url", "image_url": {"url": URL.replace("data:image/png", "DATA:IMAGE/PNG")}}],
}
IDS: dict[str, tuple[list[Any], list[Any]]] = {
    "integers": ([1, 1], [1]),
    "floats": ([1.5, 1.5], [1.5]),
    "objects": ([{"n": 1}, {"n": 1}], [{"n": 1}]),
    "empty_texts": (["", ""], [""]),
    "missing_in_result": (["x", "x"], [None]),
}
REASONING: dict[str, dict[str, Any]] = {
    "thinking_field": {"content": "Four.", "thinking": "SECRETPLAN"},
    "reasoning_details": {"content": "Four.", "reasoning_details": [{"type": "reasoning.text", "text": "SECRETPLAN"}]},
    "thinking_blocks": {"content": "Four.", "thinking_blocks": [{"type": "thinking", "thinking": "SECRETPLAN"}]},
    "reasoning_part": {"content": [{"type": "reasoning", "text": "SECRETPLAN"}, {"type": "text", "text": "Four."}]},
    "summary_part": {
        "content": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "SECRETPLAN"}]},
            {"type": "text", "text": "Four."},
        ]
    },
}


def _called(*calls: dict[str, Any], results: int = 1) -> dict[str, Any]:
    return {"role": "assistant", "content": "Reading.", "tool_calls": list(calls)}


def _history(*messages: dict[str, Any], **beside: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": "Go."}, *messages], "tools": [tool()]} | beside


def _result(content: Any, identity: Any = "c1") -> dict[str, Any]:
    given = {} if identity is None else {"tool_call_id": identity}
    return {"role": "tool", "content": content} | given


def _call(identity: Any = "c1", arguments: Any = A) -> dict[str, Any]:
    return {"id": identity, "type": "function", "function": {"name": "read_note", "arguments": arguments}}


def _ids(given: list[Any], results: list[Any]) -> dict[str, Any]:
    called = [_called(_call(identity, json.dumps({"n": number}))) for number, identity in enumerate(given, 1)]
    last = len(given)
    return _history(*called, *(_result(f"RESULT {last}", identity) for identity in results))


def variants() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Kind (two digits), variant and what the endpoint answers."""
    for name, upstream in STREAMS.items():
        for profile in ("hunyuan", "tokenhub"):
            yield name[:2], {"name": f"{name[3:]}_{profile}", "body": asked(), "proxy": profile}, upstream
    for name, (upstream, expected) in ARGUMENTS.items():
        body = asked(stream="chunks" in upstream)
        value = json.loads(expected) if isinstance(expected, str) else expected
        yield "03", {"name": name, "body": body, "expect": value}, upstream
    for name, (upstream, reason) in REASONS.items():
        yield "04", {"name": name, "body": asked(stream="chunks" in upstream), "expect": [reason]}, upstream
    for name, arguments in PAST_ARGUMENTS.items():
        for profile in ("hunyuan", "tokenhub"):
            body = _history(_called(_call(arguments=arguments)), _result("It says hello."), model=MODELS[profile])
            yield "05", {"name": f"{name}_{profile}", "body": body, "proxy": profile}, {}
    for name, schema in SCHEMAS.items():
        body = asked(stream=False, tools=[tool(parameters=schema)])
        yield "06", {"name": name, "body": body}, {}
    for number, path in enumerate(PATHS):
        texts = [{"role": "user", "content": text} for text in ("One.", "Two.")]
        for reverse in (False, True):
            name = f"path_{number}_{'reverse' if reverse else 'proxy'}"
            body = {"model": MODEL, "messages": texts}
            yield "08", {"name": name, "path": path, "body": body, "reverse": reverse}, {}
    for name, content in IMAGES.items():
        shot = [tool("shot")]
        body = _history(_called(_call() | {"function": {"name": "shot", "arguments": "{}"}}), _result(content))
        yield "13", {"name": f"tool_{name}", "body": body | {"tools": shot}}, {}
        yield "13", {"name": f"user_{name}", "body": _history({"role": "user", "content": content}, tools=shot)}, {}
    for name, (given, results) in IDS.items():
        yield "15", {"name": name, "body": _ids(given, results)}, {}
    for name, message in REASONING.items():
        for profile in ("hunyuan", "tokenhub"):
            asking = [{"role": "user", "content": text} for text in ("Two and two?", "Sure?")]
            body = {"model": MODELS[profile], "messages": [asking[0], {"role": "assistant"} | message, asking[1]]}
            yield "16", {"name": f"{name}_{profile}", "body": body, "proxy": profile}, {}
    for name, (content, expected) in CONTENTS.items():
        body = _history(_called(_call()), _result(content))
        yield "21", {"name": name, "body": body, "expect": expected}, {}
    yield from _framings()


def _framings() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Go."}], "stream": True}
    body["tools"] = [tool("notes: read it")]
    said = event({"role": "assistant", "content": "Höre 中 "})
    rest = [event({"tool_calls": [head("c1", A, "@@", index=0)]}), event({}, "tool_calls"), "data: [DONE]\n\n"]
    plain = [said, *rest]
    spelt = {
        "crlf": [chunk.replace("\n", "\r\n") for chunk in plain],
        "cr": [chunk.replace("\n", "\r") for chunk in plain],
        "comments": [": keep-alive\n\n", *(f": hello\n{chunk}" for chunk in plain)],
        "event_and_id": [f"event: message\nid: {number}\nretry: 10\n{chunk}" for number, chunk in enumerate(plain)],
        "bom": ["\ufeff" + plain[0], *plain[1:]],
        "many_lines": [chunk.replace(', "choices"', ',\ndata: "choices"') for chunk in plain],
        "one_piece": ["".join(plain)],
        "no_end_of_last_event": [*plain[:-1], "data: [DONE]"],
        "done_missing": plain[:-1],
        "done_twice": [*plain, plain[-1]],
        "done_without_space": [*plain[:-1], "data:[DONE]\n\n"],
        "name_in_letters": [
            said,
            event({"tool_calls": [head("c1", "", "@@half1", index=0)]}),
            event({"tool_calls": [frame(name="@@half2", index=0)]}),
            event({"tool_calls": [frame(A, index=0)]}),
            *rest[1:],
        ],
    }
    for name, chunks in spelt.items():
        yield "14", {"name": name, "body": body}, {"chunks": chunks}
    for label in ("", "text/plain", "application/json", "application/octet-stream"):
        yield "14", {"name": f"label_{label or 'none'}", "body": body}, {"chunks": plain, "label": label}
