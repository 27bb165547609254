"""The Responses API of the simulator: a request read as chat for the "model", its answer as items.

docs/facts/tokenhub.md#responses.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from .answers import Answer, ToolCall
from .answers import answer as answer_chat
from .codec import decode
from .openai_checks import offered
from .openai_facade import Facade
from .openai_items import input_tokens, is_reference
from .rows import Finding, Json, Problem, problem

PATH = "/v1/responses"
COMPACT = f"{PATH}/compact"
COUNT = f"{PATH}/input_tokens"

KEPT_RESPONSES = 200

_CODES = {  # of OpenAI's errors, by row; what isn't here has none
    "missing": "missing_required_parameter",
    "model": "model_not_found",
    "overflow": "context_length_exceeded",
    "previous": "previous_response_not_found",
    "type": "invalid_type",
    "unknown": "unknown_parameter",
    "value": "invalid_value",
}
_VENDOR_ROWS = {"model": "A5", "overflow": "overflow", "sight": "C3"}
_FINISHED = {"length": "max_output_tokens", "content_filter": "content_filter", "sensitive": "content_filter"}
_SEALED = "sim:"
_ECHOED: Json = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}


# Errors


def refusal(finding: Finding, facade: Facade) -> Problem:
    """A broken rule, in the facade's words."""
    if facade.openai_words:
        status = 404 if finding.row == "model" else 400
        error = {
            "message": finding.detail,
            "type": "invalid_request_error",
            "param": finding.subject or None,
            "code": _CODES.get(finding.row),
        }
        return Problem(finding.row, status, {"error": error}, finding.detail)
    row = _VENDOR_ROWS.get(finding.row, "B4")
    subject = finding.subject
    if row == "overflow":
        subject = ": " + finding.detail.rpartition("(")[2].removesuffix(")")
    elif row == "C3":
        subject = "input_image"
    said = problem("tokenhub", Finding(row, finding.detail, subject))
    return Problem(finding.row, said.status, said.body, finding.detail)


# What the endpoint keeps


@dataclass(slots=True)
class Kept:
    """The last responses by their ids, each with the items before its answer."""

    responses: dict[str, tuple[list[Json], Json]] = field(default_factory=dict)

    def known(self) -> dict[str, Json]:
        """The responses and the items before and in them, by their ids."""
        found: dict[str, Json] = {}
        for before, response in self.responses.values():
            found |= {item["id"]: item for item in [response, *before, *response["output"]] if "id" in item}
        return found

    def input_of(self, body: Json) -> list[Json]:
        """The items of a body behind those of the responses before it, references replaced by what they refer to."""
        before: list[Json] = []
        if (previous := body.get("previous_response_id")) in self.responses:
            items, response = self.responses[str(previous)]
            before = [*items, *response["output"]]
        known = self.known()
        given = as_items(body.get("input"))
        return [*before, *(known.get(item["id"], item) if is_reference(item) else item for item in given)]

    def keep(self, before: list[Json], response: Json) -> None:
        """Keep a response, and forget the oldest ones."""
        self.responses[response["id"]] = (before, response)
        while len(self.responses) > KEPT_RESPONSES:
            del self.responses[next(iter(self.responses))]


def as_items(given: Any) -> list[Json]:
    """The input as a list: a text is one user message."""
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    return given or []


# The request


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as a call of it is written: its kind, its name, and its namespace, `""` for none."""

    kind: str
    name: str
    namespace: str = ""


def tools_of(body: Json) -> dict[str, tuple[Tool, Json]]:
    """The tools that the "model" may call, by the names that it knows them by, each with its schema."""
    text = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
    found: dict[str, tuple[Tool, Json]] = {}
    for _, tool in offered(body):
        space = tool["name"] if tool["type"] == "namespace" else ""
        for one in tool["tools"] if space else [tool]:
            kind = one["type"]
            if kind in ("function", "custom"):
                name = f"{space}__{one['name']}" if space else one["name"]
                schema = text if kind == "custom" else one.get("parameters") or {}
                found.setdefault(name, (Tool(kind, one["name"], space), schema))
            elif kind in ("apply_patch", "local_shell", "shell", "tool_search"):
                found.setdefault(kind, (Tool(kind, kind), one.get("parameters") or {}))
    return found


def as_chat(body: Json, items: list[Json]) -> Json:
    """What `answers.answer` reads of a body that passed the checks: texts, tools, images."""
    system, messages = [body["instructions"]] if body.get("instructions") else [], list[Json]()
    for item in items:
        message = _message(item)
        if message is None:
            continue
        if message["role"] == "system" and not messages:
            system.append(_joined(message["content"]))
        else:
            messages.append(message)
    if system:
        messages.insert(0, {"role": "system", "content": "\n".join(system)})
    if not messages:
        messages.append({"role": "user", "content": ""})
    chat: Json = {"model": body["model"], "messages": messages, "max_tokens": body.get("max_output_tokens")}
    known = tools_of(body)
    match body.get("tool_choice"):
        case "required" | "none" as word:
            chat["tool_choice"] = word
        case {"type": "allowed_tools", "mode": mode, "tools": allowed}:
            chat["tool_choice"] = mode
            names = {one.get("name", one.get("type")) for one in allowed}
            known = {name: tool for name, tool in known.items() if tool[0].name in names}
        case {"type": kind, **more}:
            wanted = more.get("name", kind)
            named = next((name for name, (tool, _) in known.items() if tool.name == wanted), "")
            chat["tool_choice"] = {"function": {"name": named}} if named else "auto"
    chat["tools"] = [{"function": {"name": name, "parameters": schema}} for name, (_, schema) in known.items()]
    if (body.get("reasoning") or {}).get("effort") not in (None, "none"):
        chat["thinking"] = {"type": "enabled"}
    if (given := ((body.get("text") or {}).get("format") or {}).get("type")) not in (None, "text"):
        chat["response_format"] = {"type": given}
    return chat


def _message(item: Json) -> Json | None:
    """An item as a message, `None` where the "model" reads nothing in it."""
    kind = item.get("type") or "message"
    if kind == "message":
        role = {"developer": "system"}.get(item["role"], item["role"])
        return {"role": role, "content": _content(item["content"])}
    if kind == "compaction":
        return {"role": "system", "content": _unsealed(item["encrypted_content"])}
    if kind.endswith("_output") and kind not in ("tool_search_output", "computer_call_output"):
        return {"role": "tool", "content": _content(item.get("output") or item.get("result") or "")}
    if kind in ("tool_search_output", "computer_call_output"):
        return {"role": "tool", "content": kind}
    return None


def _content(content: Any) -> str | list[Json]:
    if isinstance(content, str):
        return content
    made: list[Json] = []
    for part in content:
        kind = part.get("type")
        if kind == "input_image" and part.get("image_url"):
            made.append({"type": "image_url", "image_url": {"url": part["image_url"]}})
        else:
            text = part.get("text") or part.get("refusal") or part.get("stdout", "")
            made.append({"type": "text", "text": text})
    return made


def _joined(content: str | list[Json]) -> str:
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


# The answer


def answer(
    body: Json, items: list[Json], facade: Facade, *, created: int = 0, seed: bytes = b"", mentions: bool = True
) -> tuple[Json, Sequence[str]]:
    """The whole response to a body that passed the checks, and the pieces that a stream brings its text in.

    `items` are those of the body behind those before it. Raises vision.UnreadableImage where an image can't be decoded.
    """
    answered = partial(answer_chat, profile=facade.profile, created=created, seed=seed, mentions=mentions)
    made = answered(as_chat(body, items))
    reason = _FINISHED.get(made.finish_reason)
    if any(item.get("type") == "compaction_trigger" for item in items[-1:]):
        output = [_compaction(made.id, items)]
        reason = None
    else:
        output = list(_output(made, body, cut=reason is not None))
    usage = _usage(body, made.usage)
    echoed = {name: body[name] if body.get(name) is not None else usual for name, usual in _ECHOED.items()}
    response = {
        "id": f"resp_{made.id}",
        "object": "response",
        "created_at": created,
        "status": "incomplete" if reason else "completed",
        "error": None,
        "incomplete_details": {"reason": reason} if reason else None,
        "model": body["model"],
        "output": output,
        "usage": usage,
        **echoed,
    }
    return response, made.pieces


def compacted(response_id: str, items: list[Json], body: Json, created: int) -> Json:
    """The answer of `/responses/compact`: what the user said, and the rest as one item."""
    said = [item for item in items if item.get("role") == "user"]
    usage = _usage(body, {"completion_tokens": 1})
    head = {"id": f"resp_{response_id}", "object": "response.compaction", "created_at": created}
    return head | {"output": [*said, _compaction(response_id, items)], "usage": usage}


def _compaction(answer_id: str, items: list[Json]) -> Json:
    texts = [_joined(message["content"]) for item in items if (message := _message(item)) is not None]
    sealed = _SEALED + base64.b64encode("\n".join(texts).encode("utf-8", "replace")).decode()
    return {"type": "compaction", "id": f"cmp_{answer_id}", "encrypted_content": sealed}


def _unsealed(sealed: str) -> str:
    try:
        return base64.b64decode(sealed.removeprefix(_SEALED), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


def _output(made: Answer, body: Json, *, cut: bool) -> Iterator[Json]:
    """The items of an answer: reasoning, message, calls."""
    if made.reasoning:
        asked = (body.get("reasoning") or {}).get("summary") is not None
        sealed = base64.b64encode(hashlib.sha256(made.reasoning.encode("utf-8", "replace")).digest()).decode()
        yield {
            "type": "reasoning",
            "id": f"rs_{made.id}",
            "summary": [{"type": "summary_text", "text": made.reasoning}] if asked else [],
            "content": [{"type": "reasoning_text", "text": made.reasoning}],
            "encrypted_content": sealed if "reasoning.encrypted_content" in (body.get("include") or ()) else None,
        }
    if made.text or not made.tool_calls:
        part = {"type": "output_text", "text": made.text, "annotations": [], "logprobs": []}
        status = "incomplete" if cut else "completed"
        yield {"type": "message", "id": f"msg_{made.id}", "status": status, "role": "assistant", "content": [part]}
    known = tools_of(body)
    for number, call in enumerate(made.tool_calls):
        tool = known[call.name][0] if call.name in known else Tool("function", call.name)
        yield _call(tool, call, f"{made.id[:28]}{number:04}")


def _call(tool: Tool, call: ToolCall, item_id: str) -> Json:
    arguments = decode(call.arguments.encode() or b"{}")
    match tool.kind:
        case "function":
            item: Json = {"type": "function_call", "id": f"fc_{item_id}", "arguments": call.arguments}
        case "custom":
            item = {"type": "custom_tool_call", "id": f"ctc_{item_id}", "input": str(arguments.get("input", ""))}
        case "tool_search":
            item = {"type": "tool_search_call", "id": f"tsc_{item_id}", "arguments": arguments, "execution": "client"}
        case "local_shell":
            item = {"type": "local_shell_call", "id": f"lsh_{item_id}", "action": {"type": "exec", **arguments}}
        case "shell":
            item = {"type": "shell_call", "id": f"sh_{item_id}", "action": arguments}
        case _:
            item = {"type": "apply_patch_call", "id": f"apc_{item_id}", "operation": arguments}
    item |= {"call_id": call.id, "status": "completed"}
    if tool.kind in ("function", "custom"):
        item["name"] = tool.name
        if tool.namespace:
            item["namespace"] = tool.namespace
    return item


def _usage(body: Json, counted: Json) -> Json:
    read, written = input_tokens(body), counted["completion_tokens"]
    thought = (counted.get("completion_tokens_details") or {}).get("reasoning_tokens", 0)
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": read + written,
    }
