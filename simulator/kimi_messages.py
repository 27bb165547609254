"""The contract of Moonshot's Messages route, as findings, beside what `anthropic_checks` asks of any.

A turn with calls has a block of thinking while the model thinks, with or without a signature, on Moonshot's own route
and on those that relay it (docs/facts/kimi.md#messages).
"""

from collections.abc import Iterator
from typing import Any

from . import kimi
from .kimi_models import BY_ID, Thinker, thinks
from .models import find
from .rows import Finding, Json, ProfileName
from .variant import Variant


def findings(body: Json, profile: ProfileName, variant: Variant) -> Iterator[Finding]:
    """Every refusal of a Messages body whose shape is right."""
    known = find(profile, body["model"])
    if known is None:
        return
    model = BY_ID[known.id]
    thinking = thinks(body, model)
    yield from kimi.thinking_object(body, model, budget=True)
    choice = body.get("tool_choice") or {}
    if thinking and model.kimi and choice.get("type") == "tool":
        yield Finding("choice", "tool_choice: while it thinks", "specified")
    for index, tool in enumerate(body.get("tools", [])):
        if isinstance(tool, dict) and isinstance(tool.get("input_schema"), dict):
            yield from kimi.schema(f"tools.{index}.input_schema", tool["input_schema"], model, variant)
    if thinking and model.replay != "none" and "reasoning-needless" not in variant.differs:
        yield from _reasoning(body, model, variant)


def _reasoning(body: Json, model: Thinker, variant: Variant) -> Iterator[Finding]:
    given = body.get("thinking") or {}
    every = model.replay == "all" or given.get("keep") == "all"
    empty_counts = model.empty_counts and "empty-reasoning-refused" not in variant.differs
    for index, message in enumerate(body["messages"]):
        if message["role"] != "assistant":
            continue
        blocks = _blocks(message["content"])
        calls = any(block["type"] == "tool_use" for block in blocks)
        thoughts = [block["thinking"] for block in blocks if block["type"] == "thinking"]
        starts = index == len(body["messages"]) - 1  # of the answer: what it thought comes with the rest
        if (calls or (every and not starts)) and not (any(thoughts) or (thoughts and empty_counts)):
            yield kimi.missing(index, model, variant, calls=calls)


def _blocks(content: Any) -> list[Json]:
    return content if isinstance(content, list) else []
