"""Session key: the name of its conversation, for endpoints that find their prompt cache by it.

The client's own stays. Where it gives none but names its session otherwise, a digest of that is sent: the same for all
requests of a conversation, and no other's.
"""

from __future__ import annotations

from ..exchange import Changes, JsonObject
from .base import Rule, RuleContext
from .survey import Survey


def session_key(body: JsonObject, context: RuleContext) -> Changes:
    """Add the parameter."""
    changes = Changes()
    key = context.profile.session_key
    if key and context.session and key not in body and key not in context.model.refused | context.keep_params:
        body[key] = context.session
        changes.note_at("session-key", f"/{key}", "the prompt cache is found by the session that the client named")
    return changes


def _needed(survey: Survey, context: RuleContext) -> bool:
    return bool(context.profile.session_key and context.session)


RULE = Rule(
    name="session-key",
    repairs="A request whose client names its session in another way gets the endpoint's `prompt_cache_key`.",
    why="Kimi's prompt cache is found by it; the id of a user is no session (tombii/better-ccflare#306).",
    apply=session_key,
    after=("parameters",),
    needed=_needed,
)
