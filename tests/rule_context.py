"""A rule context as the pipeline would make it, for tests of single rules."""

from __future__ import annotations

from typing import Any

from hunyuan_fix import profiles, texts
from hunyuan_fix.rules.base import RuleContext


def context(profile_name: str = "hunyuan", model: str | None = None, language: str = "zh", **given: Any) -> RuleContext:
    """A context for `profile_name`'s default text model, unless another model is named."""
    profile = profiles.load(profile_name)
    given.setdefault("max_messages", profile.grammar.max_messages)
    return RuleContext(
        profile=profile, model=profile.model(model or profile.text_model), texts=texts.load(language), **given
    )


def call(call_id: str | None = "a", name: str = "ls", arguments: str = "{}") -> dict[str, Any]:
    """A tool call; without an id where `call_id` is None."""
    shaped: dict[str, Any] = {"type": "function", "function": {"name": name, "arguments": arguments}}
    return shaped if call_id is None else {"id": call_id, **shaped}


def answer(call_id: str | None, text: str = "done") -> dict[str, Any]:
    """A tool message; without an id where `call_id` is None."""
    message = {"role": "tool", "content": text}
    return message if call_id is None else {**message, "tool_call_id": call_id}
