"""The oracle of OpenAI's Responses API: does an endpoint accept this body, and if not, with what is it refused?

Pure, and used by no repair, as `checks` is for chat. What OpenAI's API refuses is refused by every facade. A `Facade`
says which of the newer parts an endpoint takes; what TokenHub's refuses, and how that is known, is in
docs/facts/tokenhub.md#responses.
"""

from collections.abc import Iterator, Mapping

from . import models, openai_items
from .openai_facade import TOOL_HINTS, Facade
from .openai_items import NAME, input_tokens, listed, unmatched
from .openai_shapes import body_findings
from .rows import Finding, Json

NOTHING: Mapping[str, Json] = {}
MIN_OUTPUT = 16
MAX_METADATA = 16
_STORED = ("background", "conversation", "previous_response_id", "prompt", "store")


def problems(
    body: object, facade: Facade, *, known: Mapping[str, Json] = NOTHING, max_input: int = 0
) -> Finding | None:
    """The first refusal of a Responses body, `None` if it is accepted.

    `known`: what the endpoint keeps, responses and items by their ids. `max_input`: the tokens that may come in, 0
    for the model's own.
    """
    return next(all_problems(body, facade, known=known, max_input=max_input), None)


def all_problems(
    body: object, facade: Facade, *, known: Mapping[str, Json] = NOTHING, max_input: int = 0
) -> Iterator[Finding]:
    """Every refusal, in the order of the checks; only those of its shape if that is wrong."""
    misshapen = False
    for finding in body_findings(body):
        misshapen = True
        yield finding
    if misshapen or not isinstance(body, dict):
        return
    yield from _model(body, facade, max_input=max_input)
    yield from _ranges(body)
    yield from _stored(body, facade, known)
    yield from _tools(body, facade)
    yield from _choice(body)
    yield from openai_items.items(body, facade, known)
    yield from openai_items.pairing(body, facade, known)
    yield from openai_items.parts(body, facade)


# Model and parameters


def _model(body: Json, facade: Facade, *, max_input: int) -> Iterator[Finding]:
    if "model" not in body:
        yield Finding("missing", "Missing required parameter: 'model'.", "model")
        return
    model = models.find(facade.profile, body["model"])
    if model is None or model.dimensions:
        yield Finding("model", f"The requested model '{body['model']}' does not exist.", "model")
        return
    limit, asked = body.get("max_output_tokens"), input_tokens(body)
    if limit is not None and limit > model.max_output:
        text = f"max_output_tokens is too large: {limit}. This model supports at most {model.max_output} output tokens."
        yield Finding("range", text, "max_output_tokens")
    if asked > (most := max_input or model.max_input):
        text = "Your input exceeds the context window of this model. Please adjust your input and try again."
        yield Finding("overflow", f"{text} ({asked} tokens, limit {most})", "input")


def _ranges(body: Json) -> Iterator[Finding]:
    for name, low, high in (("temperature", 0, 2), ("top_p", 0, 1), ("top_logprobs", 0, 20)):
        value = body.get(name)
        if value is not None and not low <= value <= high:
            yield Finding("range", f"Invalid '{name}': expected a value from {low} to {high}, got {value}.", name)
    for name, least in (("max_output_tokens", MIN_OUTPUT), ("max_tool_calls", 1)):
        value = body.get(name)
        if value is not None and value < least:
            text = (
                f"Invalid '{name}': integer below minimum value. Expected a value >= {least}, but got {value} instead."
            )
            yield Finding("range", text, name)
    if len(body.get("metadata") or {}) > MAX_METADATA:
        yield Finding("range", f"Invalid 'metadata': too many properties. Expected at most {MAX_METADATA}.", "metadata")
    if body.get("stream_options") is not None and body.get("stream") is not True:
        yield Finding("stream_options", "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
    text_format = (body.get("text") or {}).get("format") or {}
    if text_format.get("type") == "json_schema" and not NAME.fullmatch(text_format["name"]):
        yield unmatched("text.format.name")


def _stored(body: Json, facade: Facade, known: Mapping[str, Json]) -> Iterator[Finding]:
    """What needs an endpoint that keeps answers."""
    previous, conversation = body.get("previous_response_id"), body.get("conversation")
    if "storage" not in facade.takes:
        for name in _STORED:
            if body.get(name) not in (None, False):
                yield Finding("storage", f"'{name}' is not supported.", name)
        return
    if previous is not None and conversation is not None:
        text = "Mutually exclusive parameters: Ensure you are only providing one of: 'previous_response_id' or"
        yield Finding("storage", f"{text} 'conversation'.", "previous_response_id")
    elif previous is not None and previous not in known:
        yield Finding("previous", f"Previous response with id '{previous}' not found.", "previous_response_id")
    if body.get("background") and body.get("store") is False:
        yield Finding("storage", "Background mode requires 'store' to be true.", "background")


# Tools


def offered(body: Json) -> Iterator[tuple[str, Json]]:
    """Every tool of the body with its place: those of `additional_tools` and of searches, too."""
    for index, tool in enumerate(body.get("tools") or ()):
        yield f"tools[{index}]", tool
    for number, item in enumerate(listed(body)):
        if item.get("type") in ("additional_tools", "tool_search_output"):
            for index, tool in enumerate(item["tools"]):
                yield f"input[{number}].tools[{index}]", tool


def _tools(body: Json, facade: Facade) -> Iterator[Finding]:
    seen: set[tuple[str, str]] = set()
    for at, tool in offered(body):
        kind = tool["type"]
        hint = TOOL_HINTS.get(kind, "")
        if hint and hint not in facade.takes:
            yield Finding("tool", f"{at}: tools of type '{kind}' are not supported.", f"{at}.type")
            continue
        space = tool["name"] if kind == "namespace" else ""
        inside = tool["tools"] if kind == "namespace" else [tool]
        if space and not NAME.fullmatch(space):
            yield unmatched(f"{at}.name")
        for index, one in enumerate(inside):
            place = f"{at}.tools[{index}]" if space else at
            yield from _tool(place, one, facade)
            if at.startswith("tools") and "name" in one:
                if (space, one["name"]) in seen:
                    yield Finding("tool", f"Duplicate tool name: '{one['name']}'.", f"{place}.name")
                seen.add((space, one["name"]))


def _tool(at: str, tool: Json, facade: Facade) -> Iterator[Finding]:
    if "name" in tool and not NAME.fullmatch(tool["name"]):
        yield unmatched(f"{at}.name")
    if tool["type"] == "custom" and "custom_tools" not in facade.takes:
        yield Finding("tool", f"{at}: tools of type 'custom' are not supported.", f"{at}.type")
    if tool.get("defer_loading") and "tool_search" not in facade.takes:
        yield Finding("tool", f"'{at}.defer_loading' is not supported.", f"{at}.defer_loading")
    schema = tool.get("parameters")
    if tool["type"] != "function" or schema is None:
        return
    start = f"Invalid schema for function '{tool['name']}':"
    if not isinstance(schema, dict) or schema.get("type") != "object":
        got = schema.get("type") if isinstance(schema, dict) else schema
        text = f"{start} schema must be a JSON Schema of 'type: \"object\"', got 'type: {got!r}'."
        yield Finding("schema", text, f"{at}.parameters")
    elif tool.get("strict") is True and (why := _not_strict(schema)):
        yield Finding("schema", f"{start} In context=(), {why}.", f"{at}.parameters")


def _not_strict(schema: Json) -> str:
    """Why the schema of a strict function is refused, `""` if it isn't: its outermost object is looked at."""
    if schema.get("additionalProperties") is not False:
        return "'additionalProperties' is required to be supplied and to be false"
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if missing := [name for name in properties if name not in required]:
        return f"'required' is required to be an array including every key in properties. Missing '{missing[0]}'"
    return ""


def _choice(body: Json) -> Iterator[Finding]:
    choice = body.get("tool_choice")
    if choice is None or choice in ("auto", "none"):
        return
    given = [tool for _, tool in offered(body)]
    if not given and "previous_response_id" not in body:
        yield Finding("choice", "Tool choice 'required' must be specified with 'tools' parameter.", "tool_choice")
    if not isinstance(choice, dict):
        return
    wanted = choice["tools"] if choice["type"] == "allowed_tools" else [choice]
    for one in wanted:
        if not any(_is_meant(tool, one) for tool in given):
            named = one.get("name") or one.get("server_label") or one.get("type")
            yield Finding("choice", f"Tool choice '{named}' not found in 'tools' parameter.", "tool_choice")


def _is_meant(tool: Json, wanted: Json) -> bool:
    if tool["type"] == "namespace":
        return any(_is_meant(one, wanted) for one in tool["tools"])
    kinds = {"computer_use": ("computer", "computer_use_preview")}.get(str(wanted.get("type")), (wanted.get("type"),))
    names = {"function": "name", "custom": "name", "mcp": "server_label"}
    field = names.get(tool["type"])
    return tool["type"] in kinds and (field is None or tool[field] == wanted.get(field))
