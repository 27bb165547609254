"""What the real openai SDK for Python gets from `responses`, printed as JSON: a script for the clients' own Python.

Arguments: the base URL, the model, a PNG file, a PDF, the scenario if it is to be one alone. Each answer is judged by
the SDK's own types, strictly.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pydantic
from openai.types.responses import Response, ResponseStreamEvent

PICTURE = "data:image/png;base64," + base64.b64encode(Path(sys.argv[3]).read_bytes()).decode()
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "name": "weather", "description": "Tells it.", "parameters": PARAMETERS, "strict": True}
NOTE = {"type": "custom", "name": "note", "description": "Takes a note, as it is."}
BESIDE = {"name", "status", "store"}
"""Fields that the service's own answers have beside those of the types."""
client: Any = openai.OpenAI(base_url=sys.argv[1], api_key="sk-test", max_retries=0)
MODEL = sys.argv[2]


class Answer(pydantic.BaseModel):
    """What a structured answer is."""

    answer: str


def strict(type_: Any, value: Any) -> None:
    """Raise if a required field is missing, of another type, or unknown to the SDK."""
    data = value.to_dict(mode="json")
    read = pydantic.TypeAdapter(type_).validate_python(data)
    if unknown := set(_unknown(read)) - BESIDE:
        raise AssertionError(f"unknown to the SDK: {sorted(unknown)}")


def _unknown(value: Any) -> Any:
    if isinstance(value, pydantic.BaseModel):
        yield from value.model_extra or ()
        for name in type(value).model_fields:
            yield from _unknown(getattr(value, name))
    elif isinstance(value, list):
        for item in value:
            yield from _unknown(item)


def create(asked: Any, **more: Any) -> Any:
    response = client.responses.create(**({"model": MODEL, "input": asked, "store": False} | more))
    strict(Response, response)
    return response


def stream(asked: Any, **more: Any) -> tuple[Any, list[str]]:
    """The final response that the SDK makes of the stream, and the types of the raw events."""
    given: dict[str, Any] = {"model": MODEL, "input": asked, "store": False} | more
    kinds = []
    with client.responses.create(**given, stream=True) as raw:
        for number, event in enumerate(raw):
            strict(ResponseStreamEvent, event)
            if event.sequence_number != number:
                raise AssertionError(f"event {number} has the number {event.sequence_number}")
            kinds.append(event.type)
    with client.responses.stream(**given) as gathered:
        for _ in gathered:
            pass
        response = gathered.get_final_response()
    return response, kinds


def items(response: Any) -> list[Any]:
    return [item.to_dict(mode="json") for item in response.output]


def user(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


def text(words: str) -> dict[str, Any]:
    return {"type": "input_text", "text": words}


def parallel() -> dict[str, Any]:
    """Two calls at once, then their outputs."""
    asked = '[[sim:tool weather {"city": "Shenzhen"}]][[sim:tool weather {"city": "Beijing"}]]'
    first, _ = stream(asked, tools=[TOOL])
    calls = [item for item in first.output if item.type == "function_call"]
    inputs = [json.loads(call.arguments) for call in calls]
    outputs = [
        {"type": "function_call_output", "call_id": call.call_id, "output": f"{given['city']}: sun"}
        for call, given in zip(calls, inputs, strict=True)
    ]
    second = create([*user(text(asked)), *items(first), *outputs], tools=[TOOL])
    return {"inputs": inputs, "status": first.status, "then": second.output_text}


def custom() -> dict[str, Any]:
    """A tool that takes text, in a stream, and its output."""
    asked = '[[sim:tool note {"input": "a line\\nand {another}"}]]'
    first, _ = stream(asked, tools=[NOTE])
    (call,) = (item for item in first.output if item.type == "custom_tool_call")
    output = {"type": "custom_tool_call_output", "call_id": call.call_id, "output": "noted"}
    second = create([*user(text(asked)), *items(first), output], tools=[NOTE])
    return {"name": call.name, "input": call.input, "then": second.output_text}


def reasoning() -> dict[str, Any]:
    """A thought, whole and in a stream, and the history with it."""
    given: dict[str, Any] = {
        "reasoning": {"effort": "high", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
    }
    asked = "[[sim:reasoning because]][[sim:say so]]"
    whole, (streamed, _) = create(asked, **given), stream(asked, **given)
    again = create([*user(text(asked)), *items(streamed), *user(text("[[sim:say on]]"))], **given)
    return {
        "kinds": [[item.type for item in response.output] for response in (whole, streamed)],
        "thought": "".join(part.text for part in streamed.output[0].summary),
        "sealed": bool(streamed.output[0].encrypted_content),
        "again": again.output_text,
    }


def previous() -> dict[str, Any]:
    """The answer before is named instead of sent; then it is read, listed, and deleted."""
    first = create("My word is cedar. [[sim:say I keep it.]]", store=True)
    second, _ = stream("And now? [[sim:say cedar]]", store=True, previous_response_id=first.id)
    kept = client.responses.retrieve(first.id)
    listed = [item.type for item in client.responses.input_items.list(second.id) if item.type != "reasoning"]
    client.responses.delete(first.id)
    return {
        "said": second.output_text,
        "previous": second.previous_response_id == first.id,
        "kept": [kept.id == first.id, kept.output_text],
        "listed": listed,
        "deleted": refused(lambda: client.responses.retrieve(first.id))[:2],
        "unknown": refused(lambda: create("x", previous_response_id="resp_0"))[:2],
    }


def failing() -> dict[str, Any]:
    """The classes that errors become."""
    unknown_role = [{"role": "robot", "content": "x"}]
    return {
        "no input": refused(lambda: create(5))[:2],
        "an unknown role": refused(lambda: create(unknown_role))[:2],
        "background": refused(lambda: create("x", background=True))[:2],
    }


def refused(run: Callable[[], Any]) -> list[Any]:
    """The class, the status, the code and the text of the error that `run` ends with."""
    try:
        return ["answered", 200, None, run()]
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code, error.code, error.message]
    except Exception as error:
        return [type(error).__name__, 0, getattr(error, "code", None), str(error)]


def whole() -> dict[str, Any]:
    response = create("[[sim:say hello]]", instructions="Be kind.", metadata={"a": "b"}, max_output_tokens=2000)
    used = response.usage
    counted = [
        used.input_tokens > 0,
        used.output_tokens > 0,
        used.total_tokens == used.input_tokens + used.output_tokens,
    ]
    echoed = [response.instructions, response.metadata, response.max_output_tokens]
    return {"text": response.output_text, "model": response.model, "counted": counted, "echoed": echoed}


def streamed() -> dict[str, Any]:
    response, kinds = stream("[[sim:say one two three four]][[sim:chunks 4]]")
    shown = sorted({kind for kind in kinds if "reasoning" not in kind})
    return {"text": response.output_text, "kinds": shown, "output": response.usage.output_tokens > 0}


def parsed() -> dict[str, Any]:
    """Structured output by the SDK's helper, whole and in a stream."""
    asked = '[[sim:say {"answer": "yes"}]]'
    found = client.responses.parse(model=MODEL, input=asked, text_format=Answer)
    with client.responses.stream(model=MODEL, input=asked, text_format=Answer) as gathered:
        streamed = gathered.get_final_response()
    return {"whole": found.output_parsed.answer, "streamed": streamed.output_parsed.answer}


def cut() -> list[Any]:
    response = create("[[sim:say half of it]][[sim:length]]")
    return [response.status, response.incomplete_details.reason]


def listed() -> Any:
    """An image in a tool's output."""
    call = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "x"}'}
    parts = [text("seen: [[sim:say a tool's image]]"), {"type": "input_image", "image_url": PICTURE, "detail": "auto"}]
    output = {"type": "function_call_output", "call_id": "c1", "output": parts}
    return create([*user(text("look")), call, output], tools=[TOOL]).output_text


SCENARIOS = {
    "whole": whole,
    "streamed": streamed,
    "parallel": parallel,
    "custom": custom,
    "parsed": parsed,
    "reasoning": reasoning,
    "previous": previous,
    "image": lambda: (
        create(
            user(text("What is it? [[sim:say seen]]"), {"type": "input_image", "image_url": PICTURE, "detail": "auto"})
        ).output_text
    ),
    "tool's image": listed,
    "cut": cut,
    "counted": lambda: (
        client.responses.input_tokens.count(model=MODEL, input="hello " * 100, tools=[TOOL]).input_tokens
    ),
    "failing": failing,
}

ALONE = {
    "asked": lambda: refused(lambda: create("[[sim:say hello]]").output_text),
    "streamed": lambda: refused(lambda: stream("[[sim:say one two three four]][[sim:chunks 4]]")[0].output_text),
}

for name, run in ({sys.argv[5]: ALONE[sys.argv[5]]} if sys.argv[5:] else SCENARIOS).items():
    try:
        found: Any = run()
    except Exception as error:
        found = {"raised": f"{type(error).__name__}: {error}"[:500]}
    sys.stdout.write(json.dumps([name, found]) + "\n")
