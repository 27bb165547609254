"""What happens to one parsed body: successor, cascade, rules. Knows nothing of mitmproxy, bytes or connections."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeGuard

from . import profiles, rules, texts
from .cascade import Cascade, CascadeSettings
from .config.options import Settings
from .exchange import Change, Endpoint, JsonObject, Response
from .rules import embeddings, overlong, successor
from .rules.context import RuleContext
from .rules.tool_model import tool_model
from .texts.marks import tracked
from .upstream.target import Target
from .wire import proxy_errors
from .workers import LIGHT, Checkpoint, Workers


class CascadeBroken(Exception):
    """Something failed in a request whose images had to become text: its original body must not go on."""


@dataclass(slots=True)
class Outcome:
    """What was done to a body. It was edited in place if there are `changes`.

    With a `refusal` nothing is to be sent on. `batches` are the bodies of an embeddings request that is too
    large for one call; empty for one call.
    """

    changes: list[Change] = field(default_factory=list)
    vision_calls: int = 0
    cached: int = 0
    refusal: Response | None = None
    overlong: tuple[int, int] | None = None
    """Estimated tokens of the input, and the model's limit."""
    batches: list[JsonObject] = field(default_factory=list)


def context_of(body: JsonObject, profile_name: str, settings: Settings, *, rerouted: bool = False) -> RuleContext:
    """What the rules are given beside `body`."""
    profile = profiles.load(profile_name)
    return RuleContext(
        profile=profile,
        model=profile.model(body.get("model")),
        texts=texts.load(settings.language),
        max_messages=settings.max_messages or profile.grammar.max_messages,
        text_model=None if settings.cascade == "never" else settings.text_model or profile.text_model,
        keep_params=settings.keep_params,
        rerouted=rerouted,
        successors=dict(settings.successors),
    )


def cascade_settings(settings: Settings) -> CascadeSettings:
    """The options of the cascade among `settings`."""
    return CascadeSettings(
        mode=settings.cascade,
        vision_model=settings.vision_model,
        concurrency=settings.vision_concurrency,
        timeout=settings.vision_timeout,
        deadline=settings.cascade_deadline,
        tries=own_tries(settings),
        image_max_bytes=settings.image_max_bytes,
        image_max_count=settings.image_max_count,
        cache_entries=settings.cache_entries,
        cache_bytes=settings.cache_bytes,
        cache_ttl=settings.cache_ttl,
    )


def own_tries(settings: Settings) -> int:
    """Tries for a call of the addon's own."""
    return 1 if settings.retry == "off" else settings.vision_tries


def repairable(body: object, endpoint: Endpoint) -> TypeGuard[JsonObject]:
    """Whether `body` can be repaired at all; what can't passes untouched, for the endpoint's own error."""
    return isinstance(body, dict) and (endpoint == "embeddings" or rules.repairable(body))


async def chat(
    body: JsonObject,
    context: RuleContext,
    settings: Settings,
    cascade: Cascade,
    upstream: Target,
    *,
    workers: Workers,
    size: int,
    cost: int,
) -> Outcome:
    """Repair a chat body, in place. `size`: of its JSON, in bytes; `cost`: as `workers` counts it.

    Raises `CascadeBroken` if anything fails where the cascade had to run.
    """
    outcome = Outcome([*successor.successor(body, context), *tool_model(body, context)])
    wanted = await workers.run(lambda _: cascade.wanted(body, context.profile), cost)
    found = await cascade.find(body, size) if wanted else []
    if not found:
        await _rules(body, context, settings, outcome, workers=workers, cost=cost, size=size)
        return outcome
    try:
        described = await cascade.describe(body, found, context.profile, upstream, tracked(context.texts))
        outcome.changes += described.changes
        outcome.vision_calls, outcome.cached = described.calls, described.cached
        outcome.refusal = described.refusal
        if outcome.refusal is None:
            await _rules(body, context, settings, outcome, workers=workers, cost=cost, size=None)
    except Exception as error:
        raise CascadeBroken from error
    return outcome


async def _rules(
    body: JsonObject,
    context: RuleContext,
    settings: Settings,
    outcome: Outcome,
    *,
    workers: Workers,
    cost: int,
    size: int | None,
) -> None:
    def apply(checkpoint: Checkpoint) -> None:
        outcome.changes += rules.apply_chat(body, context, checkpoint)
        checkpoint()
        outcome.overlong = overlong.overlong(body, context, size if cost < LIGHT else None)

    await workers.run(apply, cost)
    if outcome.overlong and settings.overlong == "error":
        outcome.refusal = _too_long(context.model.id, *outcome.overlong)


def _too_long(model: str, estimated: int, limit: int) -> Response:
    return proxy_errors.INPUT_TOO_LONG(model=model, estimated=estimated, limit=limit).response()


def embed(body: JsonObject, context: RuleContext) -> Outcome:
    """Repair an embeddings body, in place."""
    refusal = successor.embedding_refusal(body, context) or embeddings.check(body, context)
    if refusal is not None:
        return Outcome(refusal=refusal)
    outcome = Outcome(rules.apply_embeddings(body, context))
    batches = embeddings.batches(body, context)
    if len(batches) > 1:
        outcome.batches = batches
    return outcome
