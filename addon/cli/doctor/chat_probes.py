"""The probes of chat: thinking, parameters, tools, and a history whose reasoning is lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from ...exchange import JsonObject
from ...texts.sentence import Sentence
from ...wire import json_body
from .probing import MAX_TOKENS, QUESTION, Answer, Call, Probe, Row, Subject, held, of_model, parsed, taken, unknown

UNKNOWN_PARAMETER = "hunyuan_fix_probe"

_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def _chat(subject: Subject, *messages: JsonObject, **parameters: Any) -> Call:
    body = {"model": subject.model.id, "messages": [*messages] or [QUESTION], "max_tokens": MAX_TOKENS, **parameters}
    return Call("chat", body)


def _tool(**schema: Any) -> JsonObject:
    parameters = schema or {"type": "object", "properties": {}}
    return {"type": "function", "function": {"name": "probe", "description": "A probe.", "parameters": parameters}}


# What it does without being asked


def _plain(subject: Subject, answer: Answer) -> Iterator[Row]:
    """Whether it thinks by itself, the field that reasoning has, and where a stream has its counts."""
    thinks, claimed = Sentence("thinks by itself"), Sentence("yes" if subject.thinks else "no")
    if not answer.good:
        yield unknown(thinks, claimed, answer)
        return
    chunks = [event for line in answer.text.splitlines() if (event := _event(line))]
    given = [choice.get("delta") for chunk in chunks for choice in _choices(chunk)]
    deltas = [delta for delta in given if isinstance(delta, dict)]
    fields = [name for delta in deltas for name in ("reasoning_content", "reasoning") if delta.get(name)]
    found = Sentence("yes" if fields or any(_reasoned(chunk) for chunk in chunks) else "no")
    yield held(thinks, found, claimed, of_model(subject, thinking={"default": found == "yes"}))
    if fields:
        grammar = subject.profile.grammar
        accepted = (grammar.fields["assistant"] - {grammar.reasoning_field}) | {fields[0]}
        keys = {"messages": {"reasoning_field": fields[0], "fields": {"assistant": sorted(accepted)}}}
        yield held(Sentence("field of reasoning"), fields[0], grammar.reasoning_field, keys)
    places = {
        Sentence("in a chunk"): any(chunk.get("usage") and not _choices(chunk) for chunk in chunks),
        Sentence("beside the last choice"): any(chunk.get("usage") and _choices(chunk) for chunk in chunks),
        Sentence("in the last choice"): any(choice.get("usage") for chunk in chunks for choice in _choices(chunk)),
    }
    seen = [name for name, there in places.items() if there]
    place = Sentence("in several places") if len(seen) > 1 else seen[0] if seen else Sentence("nowhere")
    yield Row(Sentence("counts of a stream"), place, Sentence("anywhere"), "agrees")


def _off(subject: Subject, answer: Answer) -> Iterator[Row]:
    what, thinking = Sentence("thinking off"), subject.model.thinking
    claimed = taken(thinking is not None and thinking.can_be_off)
    if answer.good:
        still = _reasoned(parsed(answer))
        yield held(what, taken(not still), claimed, of_model(subject, thinking={"can_be_off": not still}))
    elif answer.refuses("thinking", "reasoning"):
        yield held(what, taken(False), claimed, of_model(subject, thinking={"can_be_off": False}))
    else:
        yield unknown(what, claimed, answer)


# Parameters


def _effort(subject: Subject) -> str:
    efforts = subject.model.thinking.efforts if subject.model.thinking else ()
    return efforts[-1] if efforts else "high"


def _efforts(subject: Subject, answer: Answer) -> Iterator[Row]:
    """An effort of the profile's that is refused is none; where it has none, an accepted one may be ignored."""
    efforts = subject.model.thinking.efforts if subject.model.thinking else ()
    what = Sentence("effort {effort}", effort=_effort(subject))
    claimed = taken(True) if efforts else Sentence("not sent")
    if answer.good:
        yield Row(what, taken(True), claimed, "agrees")
    elif answer.refuses("effort"):
        named = re.findall(r"[a-z]+", answer.text.lower())
        allowed = [word for word in _EFFORTS if word in named and word != _effort(subject)]
        keys = of_model(subject, thinking={"efforts": allowed}) if efforts else {}
        yield Row(what, taken(False), claimed, "differs" if efforts else "agrees", keys)
    else:
        yield unknown(what, claimed, answer)


def _choice(kind: str) -> Callable[[Subject, Answer], Iterator[Row]]:
    """The rows for `tool_choice` that demands a call: `named`, or `required`."""

    def rows(subject: Subject, answer: Answer) -> Iterator[Row]:
        profile, thinking = subject.profile, subject.model.thinking
        what, claimed = Sentence("tool_choice {kind}", kind=kind), taken(_takes_choice(subject, kind))
        if not answer.good and not answer.refuses("tool_choice", "tool choice"):
            yield unknown(what, claimed, answer)
            return
        found, keys = taken(answer.good), dict[str, Any]()
        only = thinking.tool_choices if thinking is not None and subject.thinks else None
        if kind == "required":
            allowed = (only or profile.tool_choices) ^ {"required"}
            by_model = only is not None
            keys = {"tool_choices": sorted(allowed)}
            keys = of_model(subject, thinking=keys) if by_model else keys
        elif only is None:
            keys = {"tool_choice_object": answer.good}
        yield held(what, found, claimed, keys)

    return rows


def _takes_choice(subject: Subject, kind: str) -> bool:
    thinking = subject.model.thinking
    only = thinking.tool_choices if thinking is not None and subject.thinks else None
    if kind == "required":
        return "required" in subject.profile.tool_choices and (only is None or "required" in only)
    return subject.profile.tool_choice_object and only is None


def _developer(subject: Subject, answer: Answer) -> Iterator[Row]:
    """The addon sends `system`, which every endpoint takes: nothing has to be written."""
    what, claimed = Sentence("role developer"), taken("developer" in subject.profile.grammar.fields)
    if answer.good or answer.refuses("role", "developer"):
        yield held(what, taken(answer.good), claimed, {})
    else:
        yield unknown(what, claimed, answer)


def _extras(subject: Subject, answer: Answer) -> Iterator[Row]:
    """A parameter that there isn't, and the name of the session."""
    profile, key = subject.profile, "prompt_cache_key"
    unknown_parameter, cache_key, not_sent = Sentence("unknown parameter"), key, Sentence("not sent")
    # The addon sends the parameters that the profile names, and no others.
    if answer.good or answer.refuses(UNKNOWN_PARAMETER):
        yield Row(unknown_parameter, taken(answer.good), not_sent, "agrees")
    else:
        yield unknown(unknown_parameter, not_sent, answer)
    sent = profile.session_key == key or key in profile.parameters
    claimed = taken(True) if sent else not_sent
    if answer.good:
        yield Row(cache_key, taken(True), claimed, "agrees")
    elif answer.refuses(key):
        gone: dict[str, Any] = {"session_key": ""} if profile.session_key == key else {}
        gone |= {"parameters": {key: False}} if key in profile.parameters else {}
        yield Row(cache_key, taken(False), claimed, "differs" if sent else "agrees", gone)
    else:
        yield unknown(cache_key, claimed, answer)


# Tools and history


def _lost(subject: Subject) -> Call:
    """A turn with a call whose reasoning is lost, while it thinks."""
    call = {"id": "probe:0", "type": "function", "function": {"name": "probe", "arguments": "{}"}}
    turn = {"role": "assistant", "content": "", "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": "probe:0", "content": "1"}
    thinking = subject.model.thinking
    asked = thinking is not None and thinking.can_be_asked
    more = subject.switched(on=True) if asked else {}
    return _chat(subject, QUESTION, turn, result, tools=[_tool()], **more)


def _replay(subject: Subject, answer: Answer) -> Iterator[Row]:
    what, claimed = Sentence("turn without its reasoning"), taken(subject.model.replay != "required")
    if answer.good:
        yield held(what, taken(True), claimed, of_model(subject, replay="wanted"))
    elif answer.refuses("reasoning_content", "reasoning is missing"):
        yield held(what, taken(False), claimed, of_model(subject, replay="required"))
    elif answer.refuses("thinking"):
        keys = of_model(subject, thinking={"can_be_asked": False})
        yield Row(Sentence("thinking on"), taken(False), taken(True), "differs", keys)
    else:
        yield unknown(what, claimed, answer)


def _schema(subject: Subject, answer: Answer) -> Iterator[Row]:
    """A schema that standard JSON Schema allows and Moonshot's flavour doesn't: docs/facts/kimi.md#schemas."""
    what, claimed = Sentence("enum without a type"), taken(not subject.model.schema)
    if answer.good:
        yield held(what, taken(True), claimed, of_model(subject, schema=""))
    elif answer.refuses("schema", "function.parameters"):
        yield held(what, taken(False), claimed, of_model(subject, schema="mfjs-lite"))
    else:
        yield unknown(what, claimed, answer)


# Reading answers


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


CHAT: tuple[Probe, ...] = (
    Probe(
        lambda subject: _chat(subject, stream=True, stream_options={"include_usage": True}),
        _plain,
    ),
    Probe(
        lambda subject: _chat(subject, **subject.switched(on=False)),
        _off,
        lambda subject: bool(subject.switched(on=False)),
    ),
    Probe(lambda subject: _chat(subject, reasoning_effort=_effort(subject)), _efforts),
    Probe(
        lambda subject: _chat(
            subject, tools=[_tool()], tool_choice={"type": "function", "function": {"name": "probe"}}
        ),
        _choice("named"),
    ),
    Probe(
        lambda subject: _chat(subject, tools=[_tool()], tool_choice="required"),
        _choice("required"),
    ),
    Probe(
        lambda subject: _chat(subject, {"role": "developer", "content": "Answer briefly."}, QUESTION),
        _developer,
    ),
    Probe(
        lambda subject: _chat(subject, **{UNKNOWN_PARAMETER: 1, "prompt_cache_key": "probe"}),
        _extras,
    ),
    Probe(_lost, _replay, lambda subject: subject.model.thinking is not None),
    Probe(
        lambda subject: _chat(subject, tools=[_tool(type="object", properties={"a": {"enum": ["x", "y"]}})]),
        _schema,
    ),
)
