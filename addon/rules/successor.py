"""Successors: retired model ids on their way to the platform that follows (notice 1729/131925, guide 1823/131382)."""

from __future__ import annotations

from ..exchange import Change, JsonObject, Response
from ..wire import proxy_errors
from .base import RuleContext


def successor(body: JsonObject, context: RuleContext) -> list[Change]:
    """Put a retired model's successor in its place. First step of a chat request.

    The user's own mappings always count, the profile's only where the request is re-routed. A model that is
    mapped to itself stays, which lets a user undo one of the profile's. Embedding models are never mapped: a
    vector index made with one is worthless with another. Sets `context.model`.
    """
    given = body.get("model")
    if not isinstance(given, str) or context.profile.model(given).embedding:
        return []
    chosen = _last(given, context)
    if chosen == given:
        return []
    body["model"] = chosen
    context.model = context.profile.model(chosen)
    return [Change("successor", "/model", f"the model is retired or mapped: {chosen} answers")]


def embedding_refusal(body: JsonObject, context: RuleContext) -> Response | None:
    """404 `model_not_found` that names the successor of a retired embedding model; `None` for any other.

    Only where the request is re-routed: elsewhere the endpoint itself says whether the model lives.
    """
    model = context.profile.model(body.get("model"))
    if not (context.rerouted and model.embedding and model.successor):
        return None
    return proxy_errors.EMBEDDING_MODEL_RETIRED(model=model.id, successor=model.successor).response()


def unnamed_embedding(body: JsonObject, context: RuleContext) -> list[Change]:
    """Let the successor of a retired embedding model answer a request whose client has named no model.

    Where the user has mapped the model to itself it stays, and is refused.
    """
    given = context.profile.model(body.get("model"))
    chosen = context.successors.get(given.id, given.successor)
    if not (context.rerouted and given.embedding and chosen) or chosen == given.id:
        return []
    body["model"] = chosen
    context.model = context.profile.model(chosen)
    return [Change("successor", "/model", f"the model is retired or mapped: {chosen} answers")]


def _last(given: str, context: RuleContext) -> str:
    """The end of the chain of successors that begins with `given`; `given` itself where the chain is a ring."""
    model, seen = given, {given}
    while (following := _next(model, context)) is not None and following != model:
        if following in seen:
            return given
        seen.add(following)
        model = following
    return model


def _next(model: str, context: RuleContext) -> str | None:
    if model in context.successors:
        return context.successors[model]
    return context.profile.model(model).successor if context.rerouted else None
