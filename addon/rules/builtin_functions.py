"""Functions that the endpoint runs itself, such as Kimi's `$web_search`: not while the model thinks, where it can't.

{"type": "builtin_function", "function": {"name": "$web_search"}}
"""

from __future__ import annotations

from ..exchange import Changes, JsonObject
from .base import Rule, RuleContext
from .survey import Survey
from .thinking import SPELLINGS, switch_off, thinks
from .tools import is_built_in


def builtin_functions(body: JsonObject, context: RuleContext) -> Changes:
    """Switch thinking off for a request that offers one, where the model takes only one of the two."""
    changes = Changes()
    known = context.model.thinking
    offered = body.get("tools")
    if not context.profile.builtin_functions or known is None or known.builtin_functions:
        return changes
    if not isinstance(offered, list) or not any(map(is_built_in, offered)):
        return changes
    if not thinks(body, context.model) or not context.keep_params.isdisjoint(SPELLINGS):
        return changes
    if key := switch_off(body, known):
        why = "the model can't think and use a function of the endpoint's own: off for this request"
        changes.note_at("builtin-functions", f"/{key}", why)
    return changes


def _needed(survey: Survey, context: RuleContext) -> bool:
    known = context.model.thinking
    return (
        context.profile.builtin_functions
        and known is not None
        and not known.builtin_functions
        and "tools" in survey.body
    )


RULE = Rule(
    name="builtin-functions",
    repairs="A request that offers Kimi's `$web_search` to a model that can't think meanwhile goes without thinking.",
    why="Kimi's quickstart of k2.5; openclaw/openclaw#57696.",
    apply=builtin_functions,
    after=(
        "thinking",
        "tools",
        "tool-choice",
    ),
    needed=_needed,
)
