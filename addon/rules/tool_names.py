"""Tool names: those that the endpoint refuses are replaced, and restored in the answer.

Sources: SDK ToolFunction.Name (a-z A-Z 0-9 _ -; anything else is a 400), OpenAI's API reference (a name has at most 64
characters).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, TypeGuard

from ..exchange import Changes, JsonObject
from ..profiles import Profile
from .base import Rule, RuleContext
from .roles import role_of
from .survey import Survey
from .tools import allowed_tools, as_list, function_of, named_function

_LONGEST_NAME = 64
"""Characters of a name at most endpoints, and of those that are made here."""
_ACCEPTED_NAME = re.compile(r"[A-Za-z0-9_-]+")
_BUILT_IN = "$"
_REFUSED_CHARACTERS = re.compile(r"[^A-Za-z0-9_-]+")
_NO_BEGINNING = frozenset("0123456789-")
"""What a name may not begin with at endpoints where it begins with a letter."""
_HASH_LENGTH = 8
_NAMING_FIELDS = frozenset(["function_call", "name"])
"""The fields of a message, beside `tool_calls`, that name a tool or hold what does."""

type _Path = tuple[str | int, ...]
"""Where an object is in the body, as the steps of a JSON Pointer: few places are ever written of."""
type _Place = tuple[JsonObject, _Path, bool]
"""An object with a `name`, where it is, and whether it must have one."""


def tool_names(body: JsonObject, context: RuleContext) -> Changes:
    """Rename tools whose name the endpoint refuses, everywhere in the body alike; runs before every other rule.

    A new name is made of the old one alone (what is readable of it and a hash), so that a history keeps its
    bytes whatever else is offered; only a collision lengthens the hash. `context.plan.tool_names` says how the
    answer is named back.
    """
    changes = Changes()
    if not context.keep_params.isdisjoint({"tools", "functions"}):
        return changes
    owners: dict[str, str] = {}
    refused: list[_Place] = []
    for place in _places(body):
        name = place[0].get("name")
        if is_accepted(name, context.profile):
            owners[name] = name
        else:
            refused.append(place)
    for holder, path, required in refused:
        given = holder.get("name")
        if not (required or (isinstance(given, str) and given)):
            continue
        old = given if isinstance(given, str) else ""
        new = new_name(old, owners, context.profile)
        holder["name"] = new
        if isinstance(given, str):
            context.plan.tool_names[new] = old
        pointer = "".join(f"/{step}" for step in (*path, "name"))
        changes.note_at("tool-names", pointer, f"{_why_refused(old, context.profile)}: {new} until the answer")
    return changes


def _needed(survey: Survey, context: RuleContext) -> bool:
    """False where all tools and calls have a name that is accepted, and nothing else in the body names one."""
    body = survey.body
    if survey.shapes is None or survey.calls is None or survey.has_field(_NAMING_FIELDS):
        return True
    if "functions" in body or "function_call" in body or isinstance(body.get("tool_choice"), dict):
        return True
    try:
        names = {tool["function"]["name"] for tool in body.get("tools") or ()}
    except (TypeError, KeyError):
        return True
    names.update([call["function"]["name"] for call in survey.calls])
    return not all(is_accepted(name, context.profile) for name in names)


RULE = Rule(
    name="tool-names",
    repairs=(
        "A tool name with characters outside A-Z a-z 0-9 _ -, with more than 64 (Kimi: 256), or that begins with what "
        "the endpoint refuses there, is renamed, and named back in the answer."
    ),
    why="SDK ToolFunction.Name; a colon was seen to give 400; OpenAI's API allows 64 characters, Kimi's 256.",
    apply=tool_names,
    needed=_needed,
)


def is_accepted(name: object, profile: Profile | None = None) -> TypeGuard[str]:
    """Whether the endpoint takes `name` for a tool: one of the profile, or any."""
    if not isinstance(name, str):
        return False
    if profile is None:
        return len(name) <= _LONGEST_NAME and _is_accepted_text(name)
    if profile.builtin_functions and is_built_in(name):
        return True
    if not profile.tool_name_digit and name[:1] in _NO_BEGINNING:
        return False
    return len(name) <= profile.tool_name_length and _is_accepted_text(name)


def is_built_in(name: str) -> bool:
    """Whether a function of this name is one that the endpoint runs itself, such as `$web_search`."""
    return name.startswith(_BUILT_IN) and len(name) <= _LONGEST_NAME and _is_accepted_text(name[1:])


@lru_cache(1024)
def _is_accepted_text(name: str) -> bool:
    """Kept: a history names the same few tools again and again."""
    return _ACCEPTED_NAME.fullmatch(name) is not None


def _why_refused(name: str, profile: Profile) -> str:
    if not name:
        return "a tool needs a name"
    if _REFUSED_CHARACTERS.search(name):
        return "the name has characters that the endpoint refuses"
    if len(name) > profile.tool_name_length:
        return f"the name has more than {profile.tool_name_length} characters"
    return "the name doesn't begin with a letter"


def new_name(old: str, owners: dict[str, str], profile: Profile | None = None) -> str:
    """A name that belongs to `old` and to no other; `owners` (new name -> old name) is filled in.

    It is made of the old one alone: what is readable of it, `_`, and the beginning of its SHA-256.
    """
    readable = _REFUSED_CHARACTERS.sub("_", old).strip("_") or "tool"
    if profile is not None and not profile.tool_name_digit and readable[0] in _NO_BEGINNING:
        readable = f"tool_{readable}"
    digest = hashlib.sha256(old.encode("utf-8", "surrogatepass")).hexdigest()
    candidates = (
        f"{readable[: _LONGEST_NAME - 1 - length]}_{digest[:length]}"
        for length in range(_HASH_LENGTH, _LONGEST_NAME - 1)
    )
    return next((name for name in candidates if owners.setdefault(name, old) == old), digest)


def _places(body: JsonObject) -> list[_Place]:
    places: list[_Place] = []
    for index, tool in enumerate(as_list(body.get("tools"))):
        function = function_of(tool)
        if function is not None:
            places.append((function, ("tools", index) if function is tool else ("tools", index, "function"), True))
    for index, function in enumerate(as_list(body.get("functions"))):
        if isinstance(function, dict):
            places.append((function, ("functions", index), True))
    if isinstance(body.get("function_call"), dict):
        places.append((body["function_call"], ("function_call",), False))
    places += _chosen_places(body.get("tool_choice"))
    for index, message in enumerate(as_list(body.get("messages"))):
        if not isinstance(message, dict):
            continue
        if "tool_calls" in message:
            for position, call in enumerate(as_list(message["tool_calls"])):
                if isinstance(call, dict):
                    _add_call(places, call, ("messages", index, "tool_calls", position))
        if "function_call" in message and isinstance(message["function_call"], dict):
            places.append((message["function_call"], ("messages", index, "function_call"), True))
        if "name" in message and role_of(message) == "tool":
            places.append((message, ("messages", index), False))
    return places


def _chosen_places(choice: object) -> Iterator[_Place]:
    if not isinstance(choice, dict):
        return
    chosen: list[tuple[Any, _Path]] = [(choice, ("tool_choice",))]
    allowed = allowed_tools(choice)
    if allowed is not None:
        under = ("tool_choice",) if allowed is choice else ("tool_choice", "allowed_tools")
        chosen = [(item, (*under, "tools", i)) for i, item in enumerate(as_list(allowed.get("tools")))]
    for item, path in chosen:
        holder = named_function(item)
        if holder is not None:
            yield holder, path if holder is item else (*path, "function"), False


def _add_call(places: list[_Place], call: JsonObject, path: _Path) -> None:
    for kind in ("function", "custom"):
        if isinstance(call.get(kind), dict):
            places.append((call[kind], (*path, kind), True))
            return
    if "name" in call or "arguments" in call:
        places.append((call, path, True))
