"""The probes of what an endpoint has beside chat: a list of models, Messages, Responses."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...exchange import JsonObject
from ...profiles import Native
from ...texts.sentence import Sentence
from .probing import (
    MAX_TOKENS,
    NO_SUCH_API,
    QUESTION,
    Answer,
    Call,
    Probe,
    Row,
    Subject,
    held,
    parsed,
    taken,
    unknown,
)

_AMONG, _CONFIG = Sentence("Messages: system among them"), "Messages: output_config"


def _listed(subject: Subject, answer: Answer) -> Iterator[Row]:
    what, claimed = Sentence("list of models"), Sentence("names the model")
    listed = parsed(answer).get("data") if answer.good else None
    if isinstance(listed, list):
        names = [entry.get("id") for entry in listed if isinstance(entry, dict)]
        among = subject.model.id in names
        found = claimed if among else Sentence("{count} models, not this one", count=len(names))
        yield held(what, found, claimed, {})
    elif answer.status in NO_SUCH_API:
        yield Row(what, Sentence("there is none"), claimed, "differs")
    else:
        yield unknown(what, claimed, answer)


def _messages(subject: Subject, *, system: bool = True, config: bool = True) -> Call:
    body: JsonObject = {"model": subject.model.id, "max_tokens": MAX_TOKENS, "messages": [QUESTION]}
    if system:
        body["messages"] = [QUESTION, {"role": "system", "content": "Answer briefly."}]
    if config:
        body["output_config"] = {"effort": "low"}
    return Call("anthropic", body)


def _messages_rows(subject: Subject, answer: Answer) -> Iterator[Row]:
    """A system message among the others, and `output_config`: of a refusal only the part that its text names."""
    yield from _api(subject, "anthropic", "Messages", answer)
    native = subject.profile.native.get("anthropic")
    if native is None or answer.status in NO_SUCH_API:
        return
    yield _config_row(native, answer)
    yield _among_row(native, answer)


def _config_row(native: Native, answer: Answer) -> Row:
    claimed = taken("output_config" not in native.refused)
    if not answer.good and not answer.refuses("output_config"):
        return unknown(_CONFIG, claimed, answer)
    refused = [path for path in native.refused if path != "output_config"]
    refused += [] if answer.good else ["output_config"]
    return held(_CONFIG, taken(answer.good), claimed, {"native": {"anthropic": {"refused": refused}}})


def _among_row(native: Native, answer: Answer) -> Row:
    claimed = taken("system" in native.roles)
    if not answer.good and (answer.refuses("output_config") or not answer.refuses("role", "system")):
        return unknown(_AMONG, claimed, answer)
    roles = sorted(native.roles | {"system"} if answer.good else native.roles - {"system"})
    return held(_AMONG, taken(answer.good), claimed, {"native": {"anthropic": {"roles": roles}}})


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
    has, claimed = "Responses", taken(speaks)
    if answer.status in NO_SUCH_API:
        patterns = [name for name in (native.models if native else ()) if name not in ("*", subject.model.id)]
        yield held(has, taken(False), claimed, {"native": {"responses": {"models": patterns}}})
        return
    takes_custom = native is None or native.tools is None or "custom" in native.tools
    if not answer.good and not answer.refuses("tool", "custom"):
        yield unknown(has, claimed, answer)
        return
    models = sorted({*(native.models if native else ()), subject.model.id})
    yield held(has, taken(True), claimed, {"native": {"responses": {"models": models}}})
    tools = native.tools if native is not None and native.tools is not None else frozenset({"function"})
    keys = {"native": {"responses": {"tools": sorted(tools | {"custom"} if answer.good else tools - {"custom"})}}}
    yield held(Sentence("Responses: custom tool"), taken(answer.good), taken(takes_custom), keys)


def _api(subject: Subject, format_: str, name: str, answer: Answer) -> Iterator[Row]:
    """Whether the endpoint has the API at all."""
    if answer.status in NO_SUCH_API:
        keys = {"speaks": sorted(subject.profile.speaks - {format_})}
        yield held(name, taken(False), taken(format_ in subject.profile.speaks), keys)


APIS: tuple[Probe, ...] = (
    Probe(lambda _: Call("models"), _listed),
    Probe(_messages, _messages_rows, lambda subject: "anthropic" in subject.profile.speaks),
    Probe(_responses, _responses_rows, lambda subject: "responses" in subject.profile.speaks),
    Probe(lambda subject: _messages(subject, system=False), _native_rows(_config_row), settles=_CONFIG),
    Probe(lambda subject: _messages(subject, config=False), _native_rows(_among_row), settles=_AMONG),
)
