"""What Codex must know of a model, as the file `model_catalog_json` or the list of models has it.

What it needs: docs/facts/responses.md#websockets-and-the-list-of-models.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...exchange import JsonObject
from ...profiles import Model, Profile

INSTRUCTIONS = """\
You are a coding agent in Codex, a program that runs in the user's terminal. You work in the folder that the user has \
opened, with the tools that you are given.

- Find out before you change: read the files that matter, and the project's own instructions (AGENTS.md), which hold \
for the files below their folder.
- Do what was asked, completely, and nothing beside it. Keep to the style of the code around it.
- Change files with the tools. Do not print a change instead of making it. Do not undo changes that are not yours.
- Check your work as the project does: build it, run its tests. Say plainly what you could not check.
- Before a longer piece of work, say in one sentence what you will do next. Go on by yourself until the task is done \
or you need a decision.
- Answer shortly, in the user's language: what was done, where (path:line), and what is left."""
"""The catalogue demands instructions for each model, and Codex sends them in place of its own."""

_EFFORTS = {
    "low": "Answers soon, and thinks little",
    "medium": "Thinks as long as most tasks need",
    "high": "Thinks long, for hard problems",
}
_TOOL_OUTPUT = 10_000
"""Tokens of one tool's output that Codex sends; it uses the same for its own models."""


def catalogue(models: Iterable[str], profile: Profile, window: int | None = None, instructions: str = "") -> JsonObject:
    """The catalogue of the models with these ids. `window`: the user's own number of tokens, in place of what is known.

    `instructions`: what Codex tells each model first; `INSTRUCTIONS` where there are none.
    """
    known = [profile.model(id) for id in dict.fromkeys(models)]
    ordered = sorted(
        (model for model in known if not model.embedding), key=lambda model: model.id != profile.text_model
    )
    entries = [_entry(model, window, instructions or INSTRUCTIONS, at) for at, model in enumerate(ordered, 1)]
    return {"models": entries}


def _entry(model: Model, window: int | None, instructions: str, priority: int) -> JsonObject:
    levels = [level for level in (model.thinking.efforts if model.thinking else ()) if level in _EFFORTS]
    limit = window or model.input or model.context
    entry: JsonObject = {
        "slug": model.id,
        "display_name": model.id,
        "description": None,
        "supported_reasoning_levels": [{"effort": level, "description": _EFFORTS[level]} for level in levels],
        "shell_type": "unified_exec",
        "visibility": "list",
        "supported_in_api": True,
        "priority": priority,
        "upgrade": None,
        "base_instructions": instructions,
        "supports_reasoning_summaries": False,
        "support_verbosity": False,
        "default_verbosity": None,
        # Its freeform form needs a model that was trained on it; without, patches go through the shell.
        "apply_patch_tool_type": None,
        "truncation_policy": {"mode": "tokens", "limit": _TOOL_OUTPUT},
        "supports_parallel_tool_calls": True,
        "experimental_supported_tools": [],
        # A model that can't see is given descriptions (hunyuan_cascade).
        "input_modalities": ["text", "image"],
    }
    if levels:
        entry["default_reasoning_level"] = "high" if "high" in levels else levels[-1]
    if limit:
        entry |= {"context_window": limit, "max_context_window": limit}
    return entry
