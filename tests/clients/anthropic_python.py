"""What the real anthropic SDK for Python gets, printed as JSON: a script for the clients' own Python.

Arguments: the base URL, the model, a PNG file, a PDF file, and if it is to be one scenario alone its name, with faults
that the endpoint is to have. Each answer is judged by the SDK's own types, strictly.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import anthropic
import pydantic
from anthropic.types import Message, RawMessageStreamEvent

PICTURE, PAPER = (base64.b64encode(Path(file).read_bytes()).decode() for file in sys.argv[3:5])
TOOL = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
    "additionalProperties": False,
}
client = anthropic.Anthropic(base_url=sys.argv[1], api_key=os.environ.get("SDK_KEY", "sk-test"), max_retries=0)
MODEL = sys.argv[2]


def strict(type_: Any, value: Any) -> None:
    """Raise if a required field is missing, of another type, or unknown to the SDK."""
    data = value.to_dict(mode="json")
    read = pydantic.TypeAdapter(type_).validate_python(data)
    if unknown := list(_unknown(read)):
        raise AssertionError(f"unknown to the SDK: {unknown}")


def _unknown(value: Any) -> Any:
    if isinstance(value, pydantic.BaseModel):
        yield from value.model_extra or ()
        for name in type(value).model_fields:
            yield from _unknown(getattr(value, name))
    elif isinstance(value, list):
        for item in value:
            yield from _unknown(item)


def create(text: Any, **more: Any) -> Message:
    given: dict[str, Any] = {"model": MODEL, "max_tokens": 2000, "messages": [{"role": "user", "content": text}]}
    message = client.messages.create(**(given | more))
    strict(Message, message)
    return message


def stream(text: Any, **more: Any) -> tuple[Message, list[str]]:
    """The final message that the SDK makes of the stream, and the types of the raw events."""
    given: dict[str, Any] = {"model": MODEL, "max_tokens": 2000, "messages": [{"role": "user", "content": text}]} | more
    kinds = []
    with client.messages.create(**given, stream=True) as raw:
        for event in raw:
            strict(RawMessageStreamEvent, event)
            kinds.append(event.type)
    with client.messages.stream(**given) as gathered:
        message = gathered.get_final_message()
    return message, kinds


def image(text: str) -> list[dict[str, Any]]:
    source = {"type": "base64", "media_type": "image/png", "data": PICTURE}
    return [{"type": "image", "source": source}, {"type": "text", "text": text}]


def parallel() -> dict[str, Any]:
    """Two calls at once, then their results, of which one is an error."""
    asked = '[[sim:tool weather {"city": "Shenzhen"}]][[sim:tool weather {"city": "Beijing"}]]'
    first, _ = stream(asked, tools=[TOOL])
    calls = [block for block in first.content if block.type == "tool_use"]
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": f"{call.input['city']}: sun", "is_error": at == 1}
        for at, call in enumerate(calls)
    ]
    history = [
        {"role": "user", "content": asked},
        {"role": "assistant", "content": [block.to_dict() for block in first.content]},
        {"role": "user", "content": results},
    ]
    second = create("", messages=history, tools=[TOOL])
    return {"inputs": [call.input for call in calls], "stop": first.stop_reason, "then": second.content[0].text}


def thinking() -> dict[str, Any]:
    """A thought, whole and in a stream, and the history with it."""
    given = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    asked = "[[sim:reasoning because]][[sim:say so]]"
    whole, (streamed, _) = create(asked, **given), stream(asked, **given)
    history = [
        {"role": "user", "content": asked},
        {"role": "assistant", "content": [block.to_dict() for block in streamed.content]},
        {"role": "user", "content": "[[sim:say on]]"},
    ]
    kinds = [[block.type for block in message.content] for message in (whole, streamed)]
    again = create("", messages=history, **given)
    return {"kinds": kinds, "thought": streamed.content[0].thinking, "again": again.content[-1].text}


def failing() -> dict[str, Any]:
    """The classes that errors become."""
    found = {}
    wrong: dict[str, list[Any]] = {"no message": [], "an unknown role": [{"role": "robot", "content": "x"}]}
    for name, messages in wrong.items():
        try:
            create("", messages=messages)
        except anthropic.APIStatusError as error:
            found[name] = [type(error).__name__, error.status_code, bool(error.message)]
    try:
        client.with_options(api_key="").messages.batches.create(requests=[])
    except anthropic.APIStatusError as error:
        found["batches"] = [type(error).__name__, error.status_code, bool(error.message)]
    return found


def refused(run: Callable[[], Any]) -> list[Any]:
    """The class, the status and the text of the error that `run` ends with."""
    try:
        return ["answered", 200, str(run())]
    except anthropic.APIStatusError as error:
        said = error.body["error"]["message"] if isinstance(error.body, dict) else error.message
        return [type(error).__name__, error.status_code, said]
    except Exception as error:
        return [type(error).__name__, 0, str(error)]


def document() -> Any:
    source = {"type": "text", "media_type": "text/plain", "data": "[[sim:say from the document]]"}
    return create([{"type": "document", "source": source, "title": "a"}]).content[0].text


def paper() -> Any:
    source = {"type": "base64", "media_type": "application/pdf", "data": PAPER}
    return create([{"type": "document", "source": source, "title": "a paper"}]).content[0].text


class Answer(pydantic.BaseModel):
    """What `parse` makes of an answer."""

    answer: str


def structured() -> Any:
    """By the field, and by the SDK's own way from a class to a schema and back."""
    given = {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}
    asked = '[[sim:say {"answer": "yes"}]]'
    messages: Any = [{"role": "user", "content": asked}]
    parsed = client.messages.parse(model=MODEL, max_tokens=2000, messages=messages, output_format=Answer)
    return [json.loads(create(asked, **given).content[0].text), parsed.parsed_output.answer]


def searched() -> dict[str, Any]:
    """A search of the web by the vendor's tool, whole and in a stream, and its blocks sent back as history."""
    given: dict[str, Any] = {"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}]}
    asked = '[[sim:tool web_search {"query": "cedars"}]]'
    whole, (streamed, _) = create(asked, **given), stream(asked, **given)
    history = [
        {"role": "user", "content": asked},
        {"role": "assistant", "content": [block.to_dict() for block in streamed.content]},
        {"role": "user", "content": "[[sim:say on]]"},
    ]
    again = create("", messages=history, **given)
    (result,) = [block for block in streamed.content if block.type == "web_search_tool_result"]
    return {
        "kinds": [[block.type for block in message.content] for message in (whole, streamed)],
        "found": [(page.title, page.url) for page in result.content],
        "counted": [message.usage.server_tool_use.web_search_requests for message in (whole, streamed)],
        "again": again.content[-1].text,
    }


def whole() -> dict[str, Any]:
    message = create("[[sim:say hello]]", system="Be kind.", stop_sequences=["never said"], metadata={"user_id": "u"})
    used = message.usage
    counted = [used.input_tokens > 0, used.output_tokens > 0]
    return {"text": message.content[0].text, "stop": message.stop_reason, "model": message.model, "counted": counted}


def streamed() -> dict[str, Any]:
    message, kinds = stream("[[sim:say one two three four]][[sim:chunks 4]]")
    return {"text": message.content[0].text, "kinds": sorted(set(kinds)), "output": message.usage.output_tokens > 0}


SCENARIOS = {
    "whole": whole,
    "streamed": streamed,
    "parallel": parallel,
    "image": lambda: create(image("What is it? [[sim:say seen]]")).content[0].text,
    "document": document,
    "paper": paper,
    "thinking": thinking,
    "structured": structured,
    "stopped": lambda: [
        (message := create("[[sim:say one STOP two]]", stop_sequences=["STOP"])).stop_reason,
        message.stop_sequence,
        message.content[0].text,
    ],
    "cut": lambda: create("[[sim:say half of it]][[sim:length]]").stop_reason,
    "counted": lambda: (
        client.messages.count_tokens(
            model=MODEL, messages=[{"role": "user", "content": "hello " * 100}], tools=[TOOL]
        ).input_tokens
    ),
    "models": lambda: [model.id for model in client.models.list(limit=5)][:1] != [],
    "failing": failing,
}

ALONE = {
    "searched": searched,
    "asked": lambda: {fault: refused(partial(create, f"[[sim:say hello]] {fault}")) for fault in sys.argv[6:]},
    "streamed": lambda: {
        fault: refused(partial(stream, f"[[sim:say one two three four]][[sim:chunks 4]] {fault}"))
        for fault in sys.argv[6:]
    },
}

for name, run in ({sys.argv[5]: ALONE[sys.argv[5]]} if sys.argv[5:] else SCENARIOS).items():
    try:
        found: Any = run()
    except Exception as error:
        found = {"raised": f"{type(error).__name__}: {error}"[:500]}
    sys.stdout.write(json.dumps([name, found]) + "\n")
