"""Embeddings: only the parameters that the endpoint takes, no more inputs than it takes.

Sources: "目前仅支持 input 和 model 参数 … dimensions 固定为 1024" (1729/111007); InputList at most 50 (SDK).
"""

from __future__ import annotations

from ..exchange import Change, JsonObject, Response
from ..wire import proxy_errors
from .base import Rule, RuleContext
from .fields import escape

MAX_INPUTS = 2048
"""Texts that one request may bring: OpenAI's own limit (its API reference, "Create embeddings"). They are sent in
batches, and 500,000 would be 10,000 calls."""


def check(body: JsonObject, context: RuleContext) -> Response | None:
    """A clear 400 for what no repair can change: another vector length, token ids, too many inputs.

    Runs before `embeddings`.
    """
    return _wrong_dimensions(body, context) or _too_many_inputs(body) or _token_ids(body)


def embeddings(body: JsonObject, context: RuleContext) -> list[Change]:
    """Remove what the endpoint doesn't take from an embeddings body.

    `encoding_format: base64`, which openai-python sends unasked, is kept by `context.plan.base64_embeddings`, also
    where it leaves: an endpoint may take it and answer in floats all the same.
    """
    changes: list[Change] = []
    for key in [key for key in body if key not in context.keep_params]:
        accepted = key in context.profile.embeddings.parameters
        if accepted and body[key] is not None:
            if key == "encoding_format" and body[key] == "base64":
                context.plan.base64_embeddings = True
            continue
        value = body.pop(key)
        why = f"null: {key} removed" if accepted else f"{key} is not accepted: removed"
        if key == "encoding_format" and value == "base64":
            context.plan.base64_embeddings = True
            why = "floats are asked for, the answer is packed into base64 again"
        elif key == "dimensions" and value is not None:
            why = "the model has one vector length only: removed"
        changes.append(Change("embeddings", f"/{escape(key)}", why))
    return changes


RULE = Rule(
    name="embeddings",
    repairs=(
        "Only `model` and `input` leave; `encoding_format: base64` is answered in base64 all the same; more "
        "inputs than one call takes are sent in batches and joined."
    ),
    why='Compatibility page 1729/111007: "目前仅支持 input 和 model 参数"; SDK InputList: at most 50.',
    apply=embeddings,
)


def batches(body: JsonObject, context: RuleContext) -> list[JsonObject]:
    """`body` as bodies of at most the profile's number of inputs, in order; itself alone where it is small."""
    inputs = body.get("input")
    size = context.profile.embeddings.max_inputs
    if not isinstance(inputs, list) or len(inputs) <= size:
        return [body]
    return [{**body, "input": inputs[start : start + size]} for start in range(0, len(inputs), size)]


def _wrong_dimensions(body: JsonObject, context: RuleContext) -> Response | None:
    asked, model = body.get("dimensions"), body.get("model")
    known = context.profile.embeddings.dimensions.get(model) if isinstance(model, str) else None
    if known is None or asked is None or "dimensions" in context.keep_params:
        return None
    if not isinstance(asked, bool) and asked in (known, str(known)):
        return None
    return proxy_errors.UNSUPPORTED_DIMENSIONS(model=model, known=known).response()


def _too_many_inputs(body: JsonObject) -> Response | None:
    inputs = body.get("input")
    if not isinstance(inputs, list) or len(inputs) <= MAX_INPUTS:
        return None
    return proxy_errors.TOO_MANY_INPUTS(count=len(inputs), limit=MAX_INPUTS).response()


def _token_ids(body: JsonObject) -> Response | None:
    inputs = body.get("input")
    if not isinstance(inputs, list) or not any(_is_tokens(item) for item in inputs):
        return None
    return proxy_errors.UNSUPPORTED_INPUT().response()


def _is_tokens(item: object) -> bool:
    return _is_integer(item) or (isinstance(item, list) and any(map(_is_integer, item)))


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
