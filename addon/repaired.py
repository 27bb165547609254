"""A Python call for programs that embed the repairs: a request's body in, the repaired body and its changes out.

    from hunyuan_fix import repair

    fixed = repair(body, profile="tokenhub")
    send(fixed.body)

Pure: no I/O, no clock, nothing of mitmproxy's. The same rules in the same order as in the proxy, whose steps these are
(`pipeline.STEPS`) without those that call a model, keep something or count.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from . import dialects, profiles, rules, session, texts
from .dialects.base import BadRequest
from .did_you_mean import did_you_mean
from .exchange import Change, Changes, JsonObject, Response
from .images import in_body
from .profiles import Profile
from .rules import embeddings, model_names, successor
from .rules.base import RuleContext
from .texts.marks import tracked
from .wire import json_body, paths
from .wire.host_names import canonical

__all__ = ["Change", "Repaired", "repair"]

type DialectName = Literal["chat", "embeddings", "anthropic", "responses"]

_DIALECTS = ("chat", "embeddings", "anthropic", "responses")
_KEPT = ("previous_response_id", "conversation")
"""Fields of a Responses request that continue what only the proxy keeps."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """A repaired request. `body` is plain JSON that shares nothing with what was given."""

    body: JsonObject
    changes: tuple[Change, ...] = ()
    """What was changed, in order: the name of a rule (docs/rules.md), a JSON Pointer, one English line without any
    content. Empty: the body is as it came."""
    tool_names: Mapping[str, str] = field(default_factory=dict)
    """Names of tools as they are in `body` -> as they were given, where the endpoint doesn't take those. The calls of
    the answer have the former."""


def repair(
    body: JsonObject,
    *,
    profile: str = "tokenhub",
    dialect: DialectName = "chat",
    language: str | None = None,
    rerouted: bool = False,
    keep_params: Collection[str] = (),
) -> Repaired:
    """Repair `body`, a request's parsed JSON, so that the endpoint takes it. `body` itself isn't changed.

    `profile`: what the endpoint demands, by the name of a profile (docs/profiles.md), a host or a base URL.
    `dialect`: the format of `body`; one in the format `anthropic` (Messages) or `responses` becomes a chat request.
    `language`: of the sentences that are put into conversations, `zh` or `en`; `None`: the default, as of
    `hunyuan_language`. `rerouted`: the request was meant for another platform, so retired models are replaced by their
    successors. `keep_params`: parameters that stay, whatever the profile says.

    Images aren't described, since that would be a call: each that the model can't see is told of by a change named
    `cascade`. Files aren't read. Raises `ValueError`, which says where and what, for a body that can't be repaired:
    no JSON, no messages, what can't be translated, what no endpoint could answer.
    """
    known = _profile(profile)
    if dialect not in _DIALECTS:
        raise ValueError(f"dialect: {dialect!r} is none; accepted are {', '.join(_DIALECTS)}")
    if language is not None and language not in texts.LANGUAGES:
        raise ValueError(f"language: {language!r} is none; accepted are {', '.join(texts.LANGUAGES)}")
    asked, changes = _copied(body), Changes()
    # 1. Into the house language.
    chat = _translated(asked, dialect, changes)
    foreign = dialects.is_another_vendors(dialect)
    context = RuleContext(
        profile=known,
        model=known.model(chat.get("model")),
        texts=tracked(texts.load(texts.language_of(language))),
        max_messages=known.grammar.max_messages,
        keep_params=frozenset(keep_params),
        rerouted=rerouted,
        limits_max_tokens=foreign,
        session=session.named((), asked),
    )
    if dialect == "embeddings":
        refused = successor.embedding_refusal(chat, context) or embeddings.check(chat, context)
        if refused is not None:
            raise ValueError(f"body: {_message(refused)}")
        changes += rules.apply_embeddings(chat, context)
        return Repaired(chat, tuple(changes))
    # 2. The model, then the rules. They are held against the model that answers.
    changes += model_names.model_name(chat, {}, known, known.text_model if foreign else None)
    context.model = known.model(chat.get("model"))
    changes += successor.successor(chat, context)
    context.may_hold_images = in_body.suspected(chat)
    if context.may_hold_images and not context.model.images and known.vision_model:
        changes += [
            Change("cascade", image.place.pointer, "the image is not described: that would be a call to a vision model")
            for image in in_body.find(chat)
        ]
    if not rules.repairable(chat):
        raise ValueError("body/messages: needed is a list with one message at least")
    changes += rules.apply_chat(chat, context)
    return Repaired(chat, tuple(changes), dict(context.plan.tool_names))


def _profile(named: str) -> Profile:
    """The profile of that name, or of that host or URL. Raises `ValueError`."""
    name: str | None = named
    if named not in profiles.names():
        parts = urlsplit(named if "://" in named else f"//{named}")
        name = profiles.at(canonical(parts.hostname or ""), paths.normal(parts.path))
    if name is None:
        near = did_you_mean(named, profiles.names())
        hint = f"did you mean {near}?" if near else f"profiles are {', '.join(profiles.names())}"
        raise ValueError(f"profile: {named!r} is neither a profile nor a host of one; {hint}")
    known = profiles.load(name)
    if known.dialect != dialects.HOUSE:
        raise ValueError(
            f"profile: {name} takes no chat requests ({known.dialect}): only the proxy translates into that"
        )
    return known


def _copied(body: JsonObject) -> JsonObject:
    """A copy of `body` as JSON. Raises `ValueError`."""
    if not isinstance(body, dict):
        raise ValueError(f"body: needed is a JSON object, not {type(body).__name__}")
    try:
        copied: JsonObject = json_body.parse(json_body.serialise(body))
    except (TypeError, ValueError) as error:
        # Without its text, which may quote the body.
        raise ValueError(f"body: it has no form in JSON ({type(error).__name__})") from None
    return copied


def _translated(body: JsonObject, dialect: str, changes: Changes) -> JsonObject:
    """`body` in the house language; what that drops or says in other words is noted. Raises `ValueError`."""
    spoken = dialects.DIALECTS[dialect]
    if spoken.is_house:
        return body
    for name in _KEPT:
        if body.get(name):
            raise ValueError(f"body/{name}: what it names is kept by the proxy alone")
    note: JsonObject = {}
    try:
        chat = spoken.to_chat(body, {}, note)
    except BadRequest as error:
        raise ValueError(f"body{f'/{error.param}' if error.param else ''}: {error.message}") from None
    why = "the request becomes a chat request, and its answer is translated back"
    changes += [Change(dialect, "", why), *(Change(dialect, *told) for told in note.get("changes", ()))]
    return chat


def _message(refused: Response) -> str:
    error = (json_body.parse_object(refused.body) or {}).get("error")
    return str(error.get("message") if isinstance(error, dict) else refused.status)
