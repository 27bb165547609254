"""What `doctor --live` asks an endpoint, and how an answer is held against the profile. Pure: no I/O.

Each probe is one call for a few tokens. A refusal counts only if its text names what was asked for; an answer that says
nothing of the request (429, 5xx, a bad key, no answer) is no finding. A difference becomes keys of the profile's data
file (docs/profiles.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ...exchange import JsonObject
from ...profiles import Model, Native, Profile
from ...wire import json_body

type Verdict = Literal["agrees", "differs", "unknown"]
type Where = Literal["models", "chat", "anthropic", "responses"]

MAX_CALLS = 12
"""No examination makes more."""
MAX_TOKENS = 16
"""What an answer may cost."""
UNKNOWN_PARAMETER = "hunyuan_fix_probe"

_REFUSALS = frozenset({400, 404, 405, 422})
"""Statuses that may say something of the request."""
_NO_SUCH_API = frozenset({404, 405})
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_QUESTION: JsonObject = {"role": "user", "content": "1"}
_SWITCHES: Mapping[str, Callable[[bool], JsonObject]] = {
    "thinking": lambda on: {"thinking": {"type": "enabled" if on else "disabled"}},
    "enable_thinking": lambda on: {"enable_thinking": on},
    "reasoning": lambda on: {"reasoning": {"enabled": on}},
}


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined: a model at the endpoints of a profile."""

    profile: Profile
    model: Model

    @property
    def thinks(self) -> bool:
        """By the profile's data it thinks where a request says nothing of it."""
        return self.model.thinking is not None and self.model.thinking.default

    def switched(self, *, on: bool) -> JsonObject:
        """The parameter that switches its thinking, by the profile's data; empty where none does."""
        control = self.model.thinking.control if self.model.thinking is not None else "none"
        return _SWITCHES.get(control, lambda _: {})(on)


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the API, and the body to send; `None` for a GET."""

    where: Where
    body: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `status` is 0 where nothing did; `text` is the body, which is never shown."""

    status: int
    text: str = ""

    @property
    def good(self) -> bool:
        """The request was accepted."""
        return 200 <= self.status < 300

    def refuses(self, *words: str) -> bool:
        """The request was refused, and the text names one of `words`."""
        said = self.text.lower()
        return self.status in _REFUSALS and any(word in said for word in words)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report. `keys`: what makes the profile say what was found; empty where nothing has to be said."""

    what: str
    found: str
    claimed: str
    verdict: Verdict
    keys: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Probe:
    """A call, whether it makes sense for a subject, and the rows that its answer gives.

    `settles`: the row that it is for, where another probe left that open. Without that it isn't made.
    """

    name: str
    call: Callable[[Subject], Call]
    rows: Callable[[Subject, Answer], Iterable[Row]]
    applies: Callable[[Subject], bool] = lambda _: True
    settles: str = ""


def _held(what: str, found: str, claimed: str, keys: Mapping[str, Any]) -> Row:
    """A row for what was found out: `keys` are those of a difference."""
    return Row(what, found, claimed, "agrees", {}) if found == claimed else Row(what, found, claimed, "differs", keys)


def _unknown(what: str, claimed: str, answer: Answer) -> Row:
    why = "no answer" if answer.status == 0 else f"HTTP {answer.status}"
    return Row(what, f"not found out ({why})", claimed, "unknown")


def _taken(accepted: bool) -> str:
    return "accepted" if accepted else "refused"


def _of_model(subject: Subject, **keys: Any) -> dict[str, Any]:
    """Keys of the model's row."""
    return {"models": {subject.model.id: keys}}


def _chat(subject: Subject, *messages: JsonObject, **parameters: Any) -> Call:
    body = {"model": subject.model.id, "messages": [*messages] or [_QUESTION], "max_tokens": MAX_TOKENS, **parameters}
    return Call("chat", body)


def _tool(**schema: Any) -> JsonObject:
    parameters = schema or {"type": "object", "properties": {}}
    return {"type": "function", "function": {"name": "probe", "description": "A probe.", "parameters": parameters}}


# The list of models


def _listed(subject: Subject, answer: Answer) -> Iterator[Row]:
    what, claimed = "list of models", "names the model"
    listed = _parsed(answer).get("data") if answer.good else None
    if isinstance(listed, list):
        names = {entry.get("id") for entry in listed if isinstance(entry, dict)}
        found = claimed if subject.model.id in names else f"{len(names)} models, not this one"
        yield _held(what, found, claimed, {})
    elif answer.status in _NO_SUCH_API:
        yield Row(what, "there is none", claimed, "differs")
    else:
        yield _unknown(what, claimed, answer)


# What it does without being asked


def _plain(subject: Subject, answer: Answer) -> Iterator[Row]:
    """Whether it thinks by itself, the field that reasoning has, and where a stream has its counts."""
    thinks, claimed = "thinks by itself", "yes" if subject.thinks else "no"
    if not answer.good:
        yield _unknown(thinks, claimed, answer)
        return
    chunks = [parsed for line in answer.text.splitlines() if (parsed := _event(line))]
    deltas = [choice.get("delta") or {} for chunk in chunks for choice in _choices(chunk)]
    fields = [name for delta in deltas for name in ("reasoning_content", "reasoning") if delta.get(name)]
    found = "yes" if fields or any(_reasoned(chunk) for chunk in chunks) else "no"
    yield _held(thinks, found, claimed, _of_model(subject, thinking={"default": found == "yes"}))
    if fields:
        grammar = subject.profile.grammar
        accepted = (grammar.fields["assistant"] - {grammar.reasoning_field}) | {fields[0]}
        keys = {"messages": {"reasoning_field": fields[0], "fields": {"assistant": sorted(accepted)}}}
        yield _held("field of reasoning", fields[0], grammar.reasoning_field, keys)
    places = {
        "in a chunk": any(chunk.get("usage") and not _choices(chunk) for chunk in chunks),
        "beside the last choice": any(chunk.get("usage") and _choices(chunk) for chunk in chunks),
        "in the last choice": any(choice.get("usage") for chunk in chunks for choice in _choices(chunk)),
    }
    place = " and ".join(name for name, seen in places.items() if seen) or "nowhere"
    yield Row("counts of a stream", place, "anywhere", "agrees")


def _off(subject: Subject, answer: Answer) -> Iterator[Row]:
    what, thinking = "thinking off", subject.model.thinking
    claimed = _taken(thinking is not None and thinking.can_be_off)
    if answer.good:
        still = _reasoned(_parsed(answer))
        yield _held(
            what, "refused" if still else "accepted", claimed, _of_model(subject, thinking={"can_be_off": not still})
        )
    elif answer.refuses("thinking", "reasoning"):
        yield _held(what, "refused", claimed, _of_model(subject, thinking={"can_be_off": False}))
    else:
        yield _unknown(what, claimed, answer)


# Parameters


def _effort(subject: Subject) -> str:
    efforts = subject.model.thinking.efforts if subject.model.thinking else ()
    return efforts[-1] if efforts else "high"


def _efforts(subject: Subject, answer: Answer) -> Iterator[Row]:
    """An effort of the profile's that is refused is none; where it has none, an accepted one may be ignored."""
    efforts = subject.model.thinking.efforts if subject.model.thinking else ()
    what, claimed = f"effort {_effort(subject)}", "accepted" if efforts else "not sent"
    if answer.good:
        yield Row(what, "accepted", claimed, "agrees")
    elif answer.refuses("effort"):
        named = re.findall(r"[a-z]+", answer.text.lower())
        allowed = [word for word in _EFFORTS if word in named and word != _effort(subject)]
        keys = _of_model(subject, thinking={"efforts": allowed}) if efforts else {}
        yield Row(what, "refused", claimed, "differs" if efforts else "agrees", keys)
    else:
        yield _unknown(what, claimed, answer)


def _choice(kind: str) -> Callable[[Subject, Answer], Iterator[Row]]:
    """The rows for `tool_choice` that demands a call: `named`, or `required`."""

    def rows(subject: Subject, answer: Answer) -> Iterator[Row]:
        profile, thinking = subject.profile, subject.model.thinking
        what, claimed = f"tool_choice {kind}", _taken(_takes_choice(subject, kind))
        if not answer.good and not answer.refuses("tool_choice", "tool choice"):
            yield _unknown(what, claimed, answer)
            return
        found, keys = _taken(answer.good), dict[str, Any]()
        only = thinking.tool_choices if thinking is not None and subject.thinks else None
        if kind == "required":
            allowed = (only or profile.tool_choices) ^ {"required"}
            by_model = only is not None
            keys = {"tool_choices": sorted(allowed)}
            keys = _of_model(subject, thinking=keys) if by_model else keys
        elif only is None:
            keys = {"tool_choice_object": answer.good}
        yield _held(what, found, claimed, keys)

    return rows


def _takes_choice(subject: Subject, kind: str) -> bool:
    thinking = subject.model.thinking
    only = thinking.tool_choices if thinking is not None and subject.thinks else None
    if kind == "required":
        return "required" in subject.profile.tool_choices and (only is None or "required" in only)
    return subject.profile.tool_choice_object and only is None


def _developer(subject: Subject, answer: Answer) -> Iterator[Row]:
    """The addon sends `system`, which every endpoint takes: nothing has to be written."""
    what, claimed = "role developer", _taken("developer" in subject.profile.grammar.fields)
    if answer.good or answer.refuses("role", "developer"):
        yield _held(what, _taken(answer.good), claimed, {})
    else:
        yield _unknown(what, claimed, answer)


def _extras(subject: Subject, answer: Answer) -> Iterator[Row]:
    """A parameter that there isn't, and the name of the session."""
    profile, key = subject.profile, "prompt_cache_key"
    unknown_parameter, cache_key = "unknown parameter", key
    # The addon sends the parameters that the profile names, and no others.
    if answer.good or answer.refuses(UNKNOWN_PARAMETER):
        yield Row(unknown_parameter, _taken(answer.good), "not sent", "agrees")
    else:
        yield _unknown(unknown_parameter, "not sent", answer)
    sent = profile.session_key == key or key in profile.parameters
    claimed = "accepted" if sent else "not sent"
    if answer.good:
        yield Row(cache_key, "accepted", claimed, "agrees")
    elif answer.refuses(key):
        gone: dict[str, Any] = {"session_key": ""} if profile.session_key == key else {}
        gone |= {"parameters": {key: False}} if key in profile.parameters else {}
        yield Row(cache_key, "refused", claimed, "differs" if sent else "agrees", gone)
    else:
        yield _unknown(cache_key, claimed, answer)


# Tools and history


def _lost(subject: Subject) -> Call:
    """A turn with a call whose reasoning is lost, while it thinks."""
    call = {"id": "probe:0", "type": "function", "function": {"name": "probe", "arguments": "{}"}}
    turn = {"role": "assistant", "content": "", "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": "probe:0", "content": "1"}
    thinking = subject.model.thinking
    asked = thinking is not None and thinking.can_be_asked
    more = subject.switched(on=True) if asked else {}
    return _chat(subject, _QUESTION, turn, result, tools=[_tool()], **more)


def _replay(subject: Subject, answer: Answer) -> Iterator[Row]:
    what, claimed = "turn without its reasoning", _taken(subject.model.replay != "required")
    if answer.good:
        yield _held(what, "accepted", claimed, _of_model(subject, replay="wanted"))
    elif answer.refuses("reasoning_content", "reasoning is missing"):
        yield _held(what, "refused", claimed, _of_model(subject, replay="required"))
    elif answer.refuses("thinking"):
        keys = _of_model(subject, thinking={"can_be_asked": False})
        yield Row("thinking on", "refused", "accepted", "differs", keys)
    else:
        yield _unknown(what, claimed, answer)


def _schema(subject: Subject, answer: Answer) -> Iterator[Row]:
    """A schema that standard JSON Schema allows and Moonshot's flavour doesn't: docs/facts/kimi.md#schemas."""
    what, claimed = "enum without a type", _taken(not subject.model.schema)
    if answer.good:
        yield _held(what, "accepted", claimed, _of_model(subject, schema=""))
    elif answer.refuses("schema", "function.parameters"):
        yield _held(what, "refused", claimed, _of_model(subject, schema="mfjs-lite"))
    else:
        yield _unknown(what, claimed, answer)


# The other APIs


_AMONG, _CONFIG = "Messages: system among them", "Messages: output_config"


def _messages(subject: Subject, *, system: bool = True, config: bool = True) -> Call:
    body: JsonObject = {"model": subject.model.id, "max_tokens": MAX_TOKENS, "messages": [_QUESTION]}
    if system:
        body["messages"] = [_QUESTION, {"role": "system", "content": "Answer briefly."}]
    if config:
        body["output_config"] = {"effort": "low"}
    return Call("anthropic", body)


def _messages_rows(subject: Subject, answer: Answer) -> Iterator[Row]:
    """A system message among the others, and `output_config`: of a refusal only the part that its text names."""
    yield from _api(subject, "anthropic", "Messages", answer)
    native = subject.profile.native.get("anthropic")
    if native is None or answer.status in _NO_SUCH_API:
        return
    yield _config_row(native, answer)
    yield _among_row(native, answer)


def _config_row(native: Native, answer: Answer) -> Row:
    claimed = _taken("output_config" not in native.refused)
    if not answer.good and not answer.refuses("output_config"):
        return _unknown(_CONFIG, claimed, answer)
    refused = [path for path in native.refused if path != "output_config"]
    refused += [] if answer.good else ["output_config"]
    return _held(_CONFIG, _taken(answer.good), claimed, {"native": {"anthropic": {"refused": refused}}})


def _among_row(native: Native, answer: Answer) -> Row:
    claimed = _taken("system" in native.roles)
    if not answer.good and (answer.refuses("output_config") or not answer.refuses("role", "system")):
        return _unknown(_AMONG, claimed, answer)
    roles = sorted(native.roles | {"system"} if answer.good else native.roles - {"system"})
    return _held(_AMONG, _taken(answer.good), claimed, {"native": {"anthropic": {"roles": roles}}})


def _native_rows(read: Callable[[Native, Answer], Row]) -> Callable[[Subject, Answer], Iterator[Row]]:
    """The one row that a probe of one part gives."""

    def rows(subject: Subject, answer: Answer) -> Iterator[Row]:
        yield read(subject.profile.native["anthropic"], answer)

    return rows


def _responses(subject: Subject) -> Call:
    tool = {"type": "custom", "name": "probe", "description": "A probe."}
    body = {"model": subject.model.id, "input": "1", "max_output_tokens": MAX_TOKENS, "store": False, "tools": [tool]}
    return Call("responses", body)


def _responses_rows(subject: Subject, answer: Answer) -> Iterator[Row]:
    native = subject.profile.native.get("responses")
    speaks = native is None or native.spoken_by(subject.model.id)
    has, claimed = "Responses", _taken(speaks)
    if answer.status in _NO_SUCH_API:
        patterns = [name for name in (native.models if native else ()) if name not in ("*", subject.model.id)]
        yield _held(has, "refused", claimed, {"native": {"responses": {"models": patterns}}})
        return
    takes_custom = native is None or native.tools is None or "custom" in native.tools
    if not answer.good and not answer.refuses("tool", "custom"):
        yield _unknown(has, claimed, answer)
        return
    models = sorted({*(native.models if native else ()), subject.model.id})
    yield _held(has, "accepted", claimed, {"native": {"responses": {"models": models}}})
    tools = native.tools if native is not None and native.tools is not None else frozenset({"function"})
    keys = {"native": {"responses": {"tools": sorted(tools | {"custom"} if answer.good else tools - {"custom"})}}}
    yield _held("Responses: custom tool", _taken(answer.good), _taken(takes_custom), keys)


def _api(subject: Subject, format_: str, name: str, answer: Answer) -> Iterator[Row]:
    """Whether the endpoint has the API at all."""
    if answer.status in _NO_SUCH_API:
        keys = {"speaks": sorted(subject.profile.speaks - {format_})}
        yield _held(name, "refused", _taken(format_ in subject.profile.speaks), keys)


# Reading answers


def _parsed(answer: Answer) -> JsonObject:
    return json_body.parse_object(answer.text.encode()) or {}


def _event(line: str) -> JsonObject | None:
    return json_body.parse_object(line.removeprefix("data:").strip().encode()) if line.startswith("data:") else None


def _choices(body: JsonObject) -> list[JsonObject]:
    choices = body.get("choices")
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []


def _reasoned(body: JsonObject) -> bool:
    """An answer, or a chunk of one, has reasoning or counts some."""
    for choice in _choices(body):
        said = choice.get("message") or choice.get("delta")
        if isinstance(said, dict) and (said.get("reasoning_content") or said.get("reasoning")):
            return True
    usage = body.get("usage")
    details = usage.get("completion_tokens_details") if isinstance(usage, dict) else None
    return isinstance(details, dict) and bool(details.get("reasoning_tokens"))


PROBES: tuple[Probe, ...] = (
    Probe(
        "plain",
        lambda subject: _chat(subject, stream=True, stream_options={"include_usage": True}),
        _plain,
    ),
    Probe("models", lambda _: Call("models"), _listed),
    Probe(
        "thinking off",
        lambda subject: _chat(subject, **subject.switched(on=False)),
        _off,
        lambda subject: bool(subject.switched(on=False)),
    ),
    Probe("effort", lambda subject: _chat(subject, reasoning_effort=_effort(subject)), _efforts),
    Probe(
        "named choice",
        lambda subject: _chat(
            subject, tools=[_tool()], tool_choice={"type": "function", "function": {"name": "probe"}}
        ),
        _choice("named"),
    ),
    Probe(
        "required choice",
        lambda subject: _chat(subject, tools=[_tool()], tool_choice="required"),
        _choice("required"),
    ),
    Probe(
        "developer",
        lambda subject: _chat(subject, {"role": "developer", "content": "Answer briefly."}, _QUESTION),
        _developer,
    ),
    Probe(
        "extras",
        lambda subject: _chat(subject, **{UNKNOWN_PARAMETER: 1, "prompt_cache_key": "probe"}),
        _extras,
    ),
    Probe("lost reasoning", _lost, _replay, lambda subject: subject.model.thinking is not None),
    Probe(
        "schema",
        lambda subject: _chat(subject, tools=[_tool(type="object", properties={"a": {"enum": ["x", "y"]}})]),
        _schema,
    ),
    Probe("Messages", _messages, _messages_rows, lambda subject: "anthropic" in subject.profile.speaks),
    Probe("Responses", _responses, _responses_rows, lambda subject: "responses" in subject.profile.speaks),
    Probe("config", lambda subject: _messages(subject, system=False), _native_rows(_config_row), settles=_CONFIG),
    Probe("system", lambda subject: _messages(subject, config=False), _native_rows(_among_row), settles=_AMONG),
)
"""The first one says whether the others make sense: none is made if it isn't answered."""


def examine(subject: Subject, ask: Callable[[Call], Answer]) -> Iterator[tuple[Answer, Sequence[Row]]]:
    """Make the probes for `subject`, at most `MAX_CALLS`: the answer of each, and all rows until then."""
    rows: dict[str, Row] = {}
    calls = 0
    for probe in PROBES:
        open_ = probe.settles in rows and rows[probe.settles].verdict == "unknown"
        if calls == MAX_CALLS or not probe.applies(subject) or (probe.settles and not open_):
            continue
        answer = ask(probe.call(subject))
        calls += 1
        rows |= {row.what: row for row in probe.rows(subject, answer)}
        yield answer, [*rows.values()]


def merged(tables: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Several tables in one, key by key."""
    whole: dict[str, Any] = {}
    for table in tables:
        for key, value in table.items():
            inner = whole.get(key)
            whole[key] = merged([inner, value]) if isinstance(inner, dict) and isinstance(value, Mapping) else value
    return whole
