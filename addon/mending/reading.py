"""A refusal in a vendor's words -> what it says is wrong, as an overlay of the model's data. Pure.

The words are data (`errors.toml`). They come from outside, and may quote what a client sent: only what they say of a
request that really has it is believed, within bounds, and nothing is taken from a request that it can't do without.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Final

from ..exchange import JsonObject
from ..profiles import Model
from ..profiles.overlay import Overlay
from ..wire import json_body

CHAT: Final = "chat"
"""The format of requests in the house language, a name in `DIALECTS`."""
STATUSES: Final = frozenset({400, 422})
"""Those of requests that are wrong in themselves."""

_LONGEST_TEXT: Final = 64 * 1024
"""Bytes of an error that are read."""
_LONGEST_MESSAGE: Final = 2000
"""Characters of one message that are looked at."""
_MOST_MESSAGES: Final = 16
_DEEPEST: Final = 8
_MOST_TOKENS: Final = 10_000_000
_SAID_IN: Final = ("message", "msg", "detail", "error", "errors", "error_msg", "raw", "metadata", "cause", "reason")
"""The keys under which vendors, and those who pass their errors on, put the words."""

_EFFORTS: Final = ("none", "no_think", "minimal", "low", "medium", "high", "xhigh", "max", "ultra")
"""The weakest first."""
_RECEIVED: Final = re.compile(r"(?i)\b(?:received|but got|got|input_value|provided)\b")
"""Behind these words an error repeats what it refuses."""
_NEEDED: Final = frozenset(
    {"model", "messages", "input", "prompt", "system", "instructions", "tools", "functions", "stream"}
    | {"max_tokens", "max_completion_tokens", "max_output_tokens", "type", "text", "id", "name", "content", "role"}
    | {"call_id", "tool_use_id", "tool_call_id", "arguments", "output", "source", "data", "url", "image_url"}
    | {"function", "parameters", "input_schema", "thinking_signature", "tool_calls", "summary", "encrypted_content"}
)
"""Fields that carry what is said, and those that every request needs: they stay, whatever an error says of them."""
_HINTS: Final = frozenset(
    {"temperature", "top_p", "top_k", "seed", "frequency_penalty", "presence_penalty", "repetition_penalty", "min_p"}
    | {"reasoning_effort", "verbosity", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "user"}
    | {"metadata", "logit_bias", "parallel_tool_calls", "service_tier", "store"}
)
"""Parameters without which an answer has the same form."""
_REASONING: Final = ("reasoning_content", "reasoning", "reasoning_details")
_OUTPUT: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_CORE_BLOCKS: Final = frozenset({"text", "tool_use", "tool_result", "image", "thinking"})
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


@dataclass(frozen=True, slots=True)
class Reading:
    """What an error says is wrong with a request."""

    kind: str
    """As `errors.toml` names it."""
    reason: str
    """For a person."""
    model: Overlay = field(default_factory=dict)
    """Keys of the model's row."""
    native: Overlay = field(default_factory=dict)
    """Keys of the table of the request's own format."""
    learns: bool = True
    """It holds for other requests of the model, too."""
    thinking: Overlay = field(default_factory=dict)
    """How the request switches thinking, where nothing else is known of that: keys of `Thinking`."""

    @property
    def overlay(self) -> Overlay:
        """All keys of the model's row."""
        if not (self.thinking and "thinking" in self.model):
            return self.model
        return {**self.model, "thinking": {**self.thinking, **self.model["thinking"]}}

    @property
    def said(self) -> str:
        """What it teaches in one line: names and numbers only."""
        return ", ".join(_said({**self.model, **self.native}))


@dataclass(frozen=True, slots=True)
class Sent:
    """The request that was refused."""

    body: JsonObject
    model: Model
    """What was known of its model."""
    format: str = CHAT
    """Chat, or the name of the client's dialect where the endpoint speaks that."""


def read(status: int, error: bytes, sent: Sent, tried: Collection[str] = ()) -> Reading | None:
    """What the error of an answer with `status` says is wrong with the request; `None` where it isn't certain.

    `tried`: what was said of readings that didn't help lately (`Reading.said`). Raises nothing.
    """
    if status not in STATUSES:
        return None
    messages = list(said_in(error))
    for case in _cases():
        if case.formats and sent.format not in case.formats:
            continue
        for pattern in case.patterns:
            for message in messages:
                found = pattern.search(message)
                for reading in case.readings(found, sent) if found else ():
                    if reading.said not in tried:
                        return reading
    return None


def said_in(error: bytes) -> Iterator[str]:
    """The messages in an error's body, the outermost first: vendors' errors are wrapped in those of who passes them on.

    An entry of pydantic's is written as one line, `thinking.budget_tokens: Extra inputs are not permitted`.
    """
    text = error[:_LONGEST_TEXT].decode("utf-8", "replace")
    waiting: list[tuple[Any, int]] = [(_parsed(text), 0)]
    count = 0
    while waiting and count < _MOST_MESSAGES:
        value, depth = waiting.pop(0)
        if depth > _DEEPEST:
            continue
        if isinstance(value, str) and value:
            inner = _parsed(value) if value.lstrip()[:1] in ("{", "[") else value
            if isinstance(inner, dict | list):
                waiting.append((inner, depth + 1))
            count += 1
            yield value[:_LONGEST_MESSAGE]
        elif isinstance(value, list):
            waiting += [(item, depth + 1) for item in value[:_MOST_MESSAGES]]
        elif isinstance(value, dict):
            if (line := _pydantic(value) or _by_code(value)) is not None:
                count += 1
                yield line[:_LONGEST_MESSAGE]
            waiting += [(value[key], depth + 1) for key in _SAID_IN if key in value]


def _parsed(text: str) -> Any:
    try:
        return json_body.parse(text.encode("utf-8", "replace"))
    except json_body.InvalidJson:
        return text


def _pydantic(entry: JsonObject) -> str | None:
    """FastAPI's `{"loc": ["body", "seed"], "msg": "…"}` as one line; `None` for anything else."""
    place, says = entry.get("loc"), entry.get("msg")
    if not isinstance(place, list) or not isinstance(says, str):
        return None
    return f"{'.'.join(str(step)[:80] for step in place[:20] if step != 'body')}: {says}"


def _by_code(error: JsonObject) -> str | None:
    """OpenAI's `param` as a line, where the error's code says that it is unknown."""
    code, name = error.get("code"), error.get("param")
    if code not in ("unknown_parameter", "unsupported_parameter") or not isinstance(name, str) or not name:
        return None
    return f"Unsupported parameter: '{name[:120]}'"


# What is made of the groups of a pattern


type _Taught = tuple[Overlay, Overlay]
"""What an error teaches of the model, and of its format."""


def _reasoning(found: re.Match[str], sent: Sent) -> Iterator[_Taught]:
    """Reasoning is required. `""` doesn't count where it stands at the place that is named, nor anywhere if none is."""
    messages = sent.body.get("messages")
    listed = messages if isinstance(messages, list) else []
    index = found.groupdict().get("index")
    named = listed[int(index)] if index and int(index) < len(listed) else None
    overlay: dict[str, Any] = {"replay": "required"}
    if isinstance(named, dict) and not named.get("tool_calls") and sent.format == CHAT:
        overlay["replay_turns"] = "all"
    looked_at = [named] if named is not None else listed
    if any(isinstance(one, dict) and one.get(key) == "" for one in looked_at for key in _REASONING):
        overlay["empty_reasoning"] = False
    yield overlay, {}
    if sent.model.replay == "required" and "replay_turns" not in overlay and sent.format == CHAT:
        yield {**overlay, "replay_turns": "all"}, {}


def _schema(found: re.Match[str], sent: Sent) -> Iterator[_Taught]:
    """The flavour that is known least strictly, then the stricter one."""
    flavours = ("", "mfjs-lite", "mfjs-strict")
    for flavour in flavours[flavours.index(sent.model.schema) + 1 :]:
        yield {"schema": flavour}, {}


def _value(found: re.Match[str], sent: Sent) -> Iterator[_Taught]:
    name, value = found["parameter"], float(found["value"])
    given = sent.body.get(name)
    if name in _NEEDED or isinstance(given, bool) or not isinstance(given, int | float):
        return
    if given != value:
        yield {"values": {name: int(value) if value.is_integer() else value}}, {}


def _limit(found: re.Match[str], sent: Sent) -> Iterator[_Taught]:
    groups = found.groupdict()
    limit = int(groups["limit"]) if groups.get("limit") else int(groups["window"]) - int(groups["input"])
    asked = [sent.body[key] for key in _OUTPUT if type(sent.body.get(key)) is int]
    if 1 <= limit <= _MOST_TOKENS and asked and max(asked) > limit:
        yield {"output": limit}, {}


def _efforts(found: re.Match[str], sent: Sent) -> Iterator[_Taught]:
    """The efforts that the error lists, if what was asked for isn't among them."""
    listed = _RECEIVED.split(found["efforts"])[0].lower()
    words = set(re.findall(r"[a-z_]{1,20}", listed))
    efforts = [effort for effort in _EFFORTS if effort in words]
    asked = _effort_of(sent.body)
    if efforts and isinstance(asked, str) and asked.lower() not in efforts:
        yield {"thinking": {"efforts": efforts}}, {}


def _effort_of(body: JsonObject) -> object:
    nested = [body.get("reasoning"), body.get("output_config"), body.get("thinking")]
    inner = (holder.get("effort") for holder in nested if isinstance(holder, dict) and "effort" in holder)
    return body.get("reasoning_effort") or next(inner, None)


def _betas(found: re.Match[str], sent: Sent) -> Iterator[_Taught]:
    names = _NAME.findall(found["betas"])[:20]
    yield {}, ({"refused_betas": sorted(set(names))} if names else {"betas": []})


def _block(found: re.Match[str], sent: Sent) -> Iterator[_Taught]:
    if found["block"] not in _CORE_BLOCKS:
        yield {}, {"refused_blocks": [found["block"]]}


def _field(found: re.Match[str], sent: Sent) -> Iterator[_Taught]:
    """The fields that an error names, where the request has them and can do without."""
    groups = found.groupdict()
    if groups.get("list"):
        names = [name.strip(" .") for name in groups["list"].split(",")]
    elif groups.get("thinking"):
        names = [f"thinking.{groups['thinking']}"]
    elif groups.get("loc"):
        names = [".".join(re.findall(r"\w{1,64}", groups["loc"])[:20])]
    else:
        names = [groups["field"].rstrip(".")]
    paths = [path for name in names[:20] if (path := _path(sent.body, name))]
    if not paths or any(path[-1] in _NEEDED for path in paths):
        return
    taught = [each for path in paths if (each := _refused_here(path, sent)) is not None]
    if len(taught) < len(paths):
        return
    if len(taught) == 1:
        yield taught[0]
    elif all(list(model) == ["refused"] and not native for model, native in taught):
        yield {"refused": sorted({name for model, _ in taught for name in model["refused"]})}, {}


def _hint(found: re.Match[str], sent: Sent) -> Iterator[_Taught]:
    if found["field"] in _HINTS and found["field"] in sent.body:
        taught = {"refused": [found["field"]]}
        yield (taught, {}) if sent.format == CHAT else ({}, taught)


def _path(body: JsonObject, name: str) -> list[str]:
    """The place in the body that an error calls `messages.65.content.1.tool_use.text`, with `*` for each number.

    Steps that aren't in the body, as pydantic's names of the kinds of an object, are passed over. Empty where the last
    one isn't there.
    """
    value: Any = body
    steps = [step for step in re.split(r"[.\[\]]", name) if step]
    path: list[str] = []
    for number, step in enumerate(steps):
        is_last = number == len(steps) - 1
        if isinstance(value, list) and step.isdecimal() and len(step) < 8 and int(step) < len(value):
            value = value[int(step)]
            path.append("*")
        elif isinstance(value, dict) and step in value and (is_last or isinstance(value[step], dict | list)):
            value = value[step]
            path.append(step)
        elif is_last:
            return []
    return path


def _refused_here(path: list[str], sent: Sent) -> _Taught | None:
    """What a field at `path` that is refused teaches; `None` where nothing can be made of it."""
    name = path[-1]
    if path[0] in ("messages", "input") and name in _REASONING:
        return {"replay": "harmful"}, {}
    if sent.format != CHAT:
        if len(path) > 1 and path[-2] == "cache_control":
            return {}, {"refused_cache_control": [name]}
        if path[0] == "messages" and "content" in path:
            return {}, {"refused_block_fields": [name]}
        return {}, {"refused": ["/".join(path)]}
    if path[0] == "thinking" and len(path) == 2:
        kept = sorted(key for key in sent.body["thinking"] if key != name)
        return {"thinking": {"fields": kept}}, {}
    if path[0] in _NEEDED:
        return None
    return {"refused": [path[0]]}, {}


_READERS: Final[Mapping[str, Callable[[re.Match[str], Sent], Iterator[_Taught]]]] = {
    "reasoning": _reasoning,
    "schema": _schema,
    "value": _value,
    "limit": _limit,
    "efforts": _efforts,
    "betas": _betas,
    "block": _block,
    "field": _field,
    "hint": _hint,
}


@dataclass(frozen=True, slots=True)
class _Case:
    """A table of `errors.toml`."""

    kind: str
    reason: str
    patterns: tuple[re.Pattern[str], ...]
    reads: str
    model: Overlay
    native: Overlay
    learns: bool
    formats: frozenset[str]

    def readings(self, found: re.Match[str], sent: Sent) -> Iterator[Reading]:
        """What may be wrong, the likeliest first."""
        taught = _READERS[self.reads](found, sent) if self.reads else iter([(self.model, self.native)])
        for model, native in taught:
            beside = _thinking(sent.body) if "thinking" in model and sent.model.thinking is None else {}
            yield Reading(self.kind, self.reason, model, native, self.learns, beside)


def _thinking(body: JsonObject) -> Overlay:
    """How a request switches the thinking of a model that nothing is known of: what isn't refused of that stays."""
    control = next((key for key in ("thinking", "enable_thinking", "reasoning") if key in body), "none")
    given = body.get(control)
    fields = sorted({"type", *given}) if isinstance(given, dict) else ["type"]
    return {"default": True, "control": control, "fields": fields, "efforts": list(_EFFORTS)}


@cache
def _cases() -> tuple[_Case, ...]:
    given = tomllib.loads(resources.files(__package__).joinpath("errors.toml").read_text(encoding="utf-8"))
    return tuple(
        _Case(
            kind=row["kind"],
            reason=row["reason"],
            patterns=tuple(re.compile(pattern, re.ASCII) for pattern in row["patterns"]),
            reads=row.get("reads", ""),
            model=row.get("model", {}),
            native=row.get("native", {}),
            learns=row.get("learns", True),
            formats=frozenset(row.get("formats", ())),
        )
        for row in given["error"]
    )


def _said(overlay: Overlay, before: str = "") -> Iterator[str]:
    for key, value in overlay.items():
        if key == "models" and not value:
            yield "translated"
        elif isinstance(value, Mapping):
            yield from _said(value, f"{before}{key}.")
        elif isinstance(value, list):
            yield f"{before}{key}={'/'.join(map(str, value)) or 'none'}"
        else:
            yield f"{before}{key}={str(value).lower() if isinstance(value, bool) else value}"
