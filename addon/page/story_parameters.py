"""The parameters and tools of a request on both sides, above its messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypedDict

from ..exchange import JsonObject, printable
from ..rules.fields import escape
from ..views.places import same_tools
from . import story_changes
from .changed_words import Work, differences
from .story_changes import Group
from .story_messages import Room, Span, pretty

_MOST: Final = 200
"""Parameters, and tools."""
_MOST_SHOWN: Final = 60
"""Tools that were changed and stand in a story whole; of the others their names alone."""
_BESIDE: Final = frozenset(["messages", "tools"])


class Parameter(TypedDict):
    """A parameter, or a tool. `came`, `sent`: `None` where it isn't there, or where it is a tool that wasn't changed.

    `at_came`, `at_sent`: where the rest can be asked for; `""`: it isn't there.
    """

    name: str
    state: str
    came: list[Span] | None
    sent: list[Span] | None
    at_came: str
    at_sent: str
    changes: list[int]


class Parameters(TypedDict):
    """Both; `more`: how many aren't listed."""

    parameters: list[Parameter]
    tools: list[Parameter]
    more: int


def parameters(came: JsonObject, sent: JsonObject, groups: Sequence[Group], room: Room) -> Parameters:
    """What stands above the messages of two bodies in the shapes of chat."""
    work = Work(500_000)
    names = [name for name in dict.fromkeys([*came, *sent]) if name not in _BESIDE]
    listed = []
    for name in names[:_MOST]:
        at = f"/{escape(name)}"
        changes = story_changes.of_field(groups, escape(name))
        sides = [(pretty(body[name]) if name in body else None) for body in (came, sent)]
        listed.append(_pair(name, (at, at), sides, changes, (room, work)))
    tools = _tools(came, sent, groups, room, work)
    return {
        "parameters": listed,
        "tools": tools[:_MOST],
        "more": max(0, len(names) - _MOST) + max(0, len(tools) - _MOST),
    }


def _tools(came: JsonObject, sent: JsonObject, groups: Sequence[Group], room: Room, work: Work) -> list[Parameter]:
    ours, theirs = _listed(came), _listed(sent)
    there = same_tools({"tools": ours}, {"tools": theirs})
    back = {at: number for number, at in there.items()}
    pairs: list[tuple[int | None, int | None]] = [(back.get(at), at) for at in range(len(theirs))]
    pairs += [(number, None) for number in range(len(ours)) if number not in there]
    of_place = _of_tools(groups)
    found: list[Parameter] = []
    whole = 0
    for mine, its in pairs[: _MOST + 1]:
        tools = (None if mine is None else ours[mine], None if its is None else theirs[its])
        texts = [None if tool is None else pretty(tool) for tool in tools]
        changes = sorted({*of_place.get(("came", mine), ()), *of_place.get(("sent", its), ())})
        ways = ("" if mine is None else f"/tools/{mine}", "" if its is None else f"/tools/{its}")
        name = _name(tools[0]) or _name(tools[1]) or "?"
        is_same = None not in texts and (texts[0] == texts[1] or _said(tools[0]) == _said(tools[1]))
        if (is_same and not changes) or whole >= _MOST_SHOWN:
            found.append(_named(name, "same" if is_same else _state(*texts), ways, changes))
        else:
            whole += 1
            found.append(_pair(name, ways, texts, changes, (room, work)))
    found += [_named("", "", ("", ""), [])] * max(0, len(pairs) - len(found))
    return found


def _listed(body: JsonObject) -> list[Any]:
    tools = body.get("tools")
    return tools if isinstance(tools, list) else []


def _of_tools(groups: Sequence[Group]) -> dict[tuple[str, int | None], set[int]]:
    """Side and number of a tool -> the groups that changed it."""
    found: dict[tuple[str, int | None], set[int]] = {}
    for number, group in enumerate(groups):
        for place in group.places:
            for side, pointer in (("came", place.original), ("sent", place.final)):
                parts = (pointer or "").split("/")
                if len(parts) > 2 and parts[1] == "tools" and parts[2].isdecimal() and len(parts[2]) < 10:
                    found.setdefault((side, int(parts[2])), set()).add(number)
    return found


def _named(name: str, state: str, ways: tuple[str, str], changes: list[int]) -> Parameter:
    at_came, at_sent = ways
    return {
        "name": name,
        "state": state,
        "came": None,
        "sent": None,
        "at_came": at_came,
        "at_sent": at_sent,
        "changes": changes,
    }


def _pair(
    name: str, ways: tuple[str, str], texts: Sequence[str | None], changes: list[int], bounds: tuple[Room, Work]
) -> Parameter:
    room, work = bounds
    came, sent = texts
    gone, new = differences(came, sent, work) if came is not None and sent is not None else ([], [])
    ways = ("" if came is None else ways[0], "" if sent is None else ways[1])
    shown = _named(printable(name[:200]), _state(came, sent), ways, changes)
    shown["came"] = None if came is None else room.spans(came, gone, most=800)
    shown["sent"] = None if sent is None else room.spans(sent, new, most=800)
    return shown


def _state(came: str | None, sent: str | None) -> str:
    if came is None or sent is None:
        return "added" if came is None else "removed"
    return "same" if came == sent else "changed"


def _said(tool: Any) -> Any:
    """What a tool says in any format: its name, what it is for, what it takes."""
    function = tool.get("function") if isinstance(tool, dict) else None
    holder = function if isinstance(function, dict) else tool
    if not isinstance(holder, dict):
        return holder
    schema = holder.get("parameters", holder.get("input_schema"))
    return holder.get("name"), holder.get("description"), schema


def _name(tool: Any) -> str:
    """The name of a tool, whatever its format."""
    function = tool.get("function") if isinstance(tool, dict) else None
    holder = function if isinstance(function, dict) else tool if isinstance(tool, dict) else {}
    name = holder.get("name") or holder.get("Name") or holder.get("type")
    return printable(name[:200]) if isinstance(name, str) else ""
