"""What is different in a request that isn't in a recording: which message, whose, and the first words of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ..texts.sentence import Sentence
from ..wire import json_body
from . import alike
from .file import Call
from .matching import Matching
from .parts import Part, Parts

_BEFORE: Final = 24
"""Characters that are shown before the first that differs."""
_SHOWN: Final = 70
"""Characters that are shown of each."""
_MOST_READ: Final = 300_000
"""Characters of a message that are compared."""
_NAMED: Final = 5
"""Tools that are named."""


def told(matching: Matching, parts: Parts) -> Sentence:
    """What distinguishes `parts` from the recorded call that is most like them. In linear time."""
    if recorded := matching.recorded(parts):
        return Sentence("It has come more often than it was recorded ({count}).", count=recorded)
    nearest = _nearest(matching, parts)
    if nearest is None:
        return Sentence("The recording has no call in this format ({form}).", form=parts.form)
    number, call = nearest
    theirs = call.parts
    words: Sentence | None = None
    if _differ(parts.system, theirs.system):
        what = Sentence("the system prompt differs")
        words = _words(parts.system, theirs.system)
    elif (place := _common(parts.messages, theirs.messages)) < max(len(parts.messages), len(theirs.messages)):
        what, words = _message(parts.messages, theirs.messages, place)
    elif _differ(parts.tools, theirs.tools):
        what = _tools(parts.tools, theirs.tools)
    else:
        what = _fields(parts.fields, theirs.fields)
    if not words:
        return Sentence("Compared with call {number} of the recording, {what}.", number=number + 1, what=what)
    return Sentence(
        "Compared with call {number} of the recording, {what}: {words}.", number=number + 1, what=what, words=words
    )


def _nearest(matching: Matching, parts: Parts) -> tuple[int, Call] | None:
    """The call with the most messages in common, from the first on; of equals one that is as long, and isn't used."""
    best: tuple[int, bool, bool, bool] | None = None
    nearest: tuple[int, Call] | None = None
    for number, call in enumerate(matching.calls):
        if call.parts.form != parts.form:
            continue
        theirs = call.parts
        rank = (
            _common(parts.messages, theirs.messages) + (not _differ(parts.system, theirs.system)),
            not _differ(parts.tools, theirs.tools),
            len(theirs.messages) == len(parts.messages),
            not matching.is_used(number),
        )
        if best is None or rank > best:
            best, nearest = rank, (number, call)
    return nearest


def _common(ours: Sequence[Part], theirs: Sequence[Part]) -> int:
    """How many messages both begin with, whatever the day."""
    length = 0
    for our, their in zip(ours, theirs, strict=False):
        if our.alike != their.alike:
            break
        length += 1
    return length


def _differ(our: Part | None, their: Part | None) -> bool:
    return (our.alike if our else None) != (their.alike if their else None)


def _message(ours: Sequence[Part], theirs: Sequence[Part], place: int) -> tuple[Sentence, Sentence]:
    number = place + 1
    if place >= len(theirs):
        role = _role(ours[place])
        what = Sentence(
            "message {number} (role {role}) is new: the recorded request ends before it", number=number, role=role
        )
        return what, _alone(ours[place])
    if place >= len(ours):
        role = _role(theirs[place])
        what = Sentence(
            "message {number} (role {role}) is missing: this request ends before it", number=number, role=role
        )
        return what, _alone(theirs[place])
    role, recorded = _role(ours[place]), _role(theirs[place])
    if role != recorded:
        what = Sentence(
            "message {number} has the role {role} in place of {recorded}", number=number, role=role, recorded=recorded
        )
    else:
        what = Sentence("message {number} (role {role}) differs", number=number, role=role)
    return what, _words(ours[place], theirs[place])


def _role(part: Part) -> str:
    """Who speaks: the role of a message, the type of an item; a role of the client's own invention is none."""
    value = part.value
    given = (value.get("role") or value.get("type")) if isinstance(value, dict) else "user"
    return given if given in _ROLES else "?"


_ROLES: Final = frozenset(
    {
        *("system", "developer", "user", "assistant", "tool", "function", "message", "reasoning", "function_call"),
        *("function_call_output", "custom_tool_call", "custom_tool_call_output", "local_shell_call"),
    }
)


def _words(our: Part | None, their: Part | None) -> Sentence:
    """The first words that differ, whatever the day."""
    now, recorded = _text(our), _text(their)
    if now == recorded:  # it is none of its texts
        now, recorded = (alike.alike(_json(part.value if part else None)[:_MOST_READ]) for part in (our, their))
    start = 0
    for one, other in zip(now, recorded, strict=False):
        if one != other:
            break
        start += 1
    start = max(0, start - _BEFORE)
    return Sentence(
        "recorded was “{recorded}”, now it is “{now}”", recorded=_cut(recorded, start), now=_cut(now, start)
    )


def _alone(part: Part) -> Sentence:
    return Sentence("“{words}”", words=_cut(_text(part), 0))


def _cut(text: str, start: int) -> str:
    shown = " ".join(text[start : start + _SHOWN].split())
    return ("…" if start else "") + shown + ("…" if start + _SHOWN < len(text) else "")


def _text(part: Part | None) -> str:
    """What a part says: its texts, one after the other."""
    return "" if part is None else alike.alike(" ".join(_texts(part.value))[:_MOST_READ])


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name not in ("role", "type", "id") and not name.endswith("_id"):
                yield from _texts(item)
    elif value is not None:
        yield _json(value)


def _json(value: Any) -> str:
    return json_body.serialise(value).decode("utf-8", "replace")


def _tools(our: Part | None, their: Part | None) -> Sentence:
    now, recorded = _by_name(our), _by_name(their)
    missing = [name for name in recorded if name not in now]
    new = [name for name in now if name not in recorded]
    other = [name for name in now if name in recorded and now[name] != recorded[name]]
    if not (missing or new or other):
        return Sentence("the tools come in another order")
    named = ", ".join(
        f"{sign}{name}" for sign, names in (("-", missing), ("+", new), ("±", other)) for name in names[:_NAMED]
    )
    return Sentence("the tools differ ({tools})", tools=named[:300])


def _by_name(part: Part | None) -> Mapping[str, Any]:
    listed = part.value if part is not None and isinstance(part.value, list) else []
    return {_name_of(tool): alike.value(tool) for tool in listed}


def _name_of(tool: Any) -> str:
    given = tool if isinstance(tool, dict) else {}
    function = given.get("function")
    inner = function if isinstance(function, dict) else given
    return str(inner.get("name") or given.get("type") or "?")[:100]


def _fields(now: Mapping[str, Any], recorded: Mapping[str, Any]) -> Sentence:
    for name in sorted({*now, *recorded}):
        if alike.value(now.get(name)) != alike.value(recorded.get(name)):
            return Sentence(
                "the field {name} differs: recorded was {recorded}, now it is {now}",
                name=name[:100],
                recorded=_shown(recorded.get(name)),
                now=_shown(now.get(name)),
            )
    return Sentence("nothing differs that is shown here")


def _shown(value: Any) -> str:
    return _cut(_json(value), 0)
