"""The option's text, JSON, becomes rows that are checked. Errors name the row and the key, and what is accepted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from .. import profiles
from ..config import values as read
from ..did_you_mean import suggestion
from ..rules import efforts
from ..texts.terminal import say
from ..wire import user_agents
from .row import CONDITIONS, EMBEDDINGS, KINDS, VALUES, Pattern, Row, SystemText

_MOST_ROWS: Final = 200
_MOST_PATTERNS: Final = 50
_LONGEST: Final = 200
"""Characters of a pattern or a name."""
_LONGEST_TEXT: Final = 32_000
"""Characters of a system text."""
_MOST_TOKENS: Final = 10_000_000
_HOTTEST: Final = 2.0
"""OpenAI's. What an endpoint takes of it is in its profile, and the rules fit it."""
_KEYS: Final = ("name", "when", "model", "default", "force", "system")


class _Wrong(ValueError):
    """What is wrong at a place in a row."""


@read.accepting("a table of rows, see [model-map.md](model-map.md)", is_table=True)
def rows(text: str) -> tuple[Row, ...]:
    """The rows of a table. Raises `ValueError`."""
    if not text:
        return ()
    try:
        given = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, list):
        raise ValueError(say("accepted is a list of rows, in a file of hunyuan_config, or as JSON"))
    if len(given) > _MOST_ROWS:
        raise ValueError(say("accepted are at most {most} rows", most=_MOST_ROWS))
    found = []
    for number, one in enumerate(given, 1):
        try:
            found.append(_row(number, one))
        except _Wrong as wrong:
            raise ValueError(say("row {number}: {problem}", number=number, problem=wrong)) from None
    return tuple(found)


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _row(number: int, given: object) -> Row:
    row = _table(given, "", _KEYS)
    name = _text(row["name"], "name", _LONGEST) if "name" in row else ""
    when = _conditions(row.get("when", {}))
    model = _model(row["model"]) if "model" in row else ""
    default, force = (_values(row.get(key, {}), key) for key in ("default", "force"))
    if twice := sorted(default.keys() & force.keys()):
        raise _Wrong(say("{key} stands in default and in force: one of them counts", key=twice[0]))
    system = _system(row["system"]) if "system" in row else None
    if not (model or default or force or system):
        raise _Wrong(say("it sets nothing: needed is one of model, default, force, system"))
    made = Row(number, name, when, model, default, force, system)
    if {pattern.text for pattern in when.get("kind", ())} == {EMBEDDINGS} and (default or force or system):
        raise _Wrong(say("of embeddings requests only the model can be set"))
    return made


def _table(given: object, place: str, keys: Sequence[str]) -> Mapping[str, Any]:
    """An object with none but the known keys."""
    if not isinstance(given, dict):
        where = place or say("the row")
        raise _Wrong(say("{place}: accepted is a table with the keys {keys}", place=where, keys=", ".join(keys)))
    for key in given:
        if key not in keys:
            shown = _spelt(f"{place}.{key}" if place else key)
            unknown = say("{key}: there is no such key; accepted are {keys}", key=shown, keys=", ".join(keys))
            raise _Wrong(unknown + suggestion(key, keys))
    return given


def _spelt(text: str) -> str:
    return re.sub(r"[^\w.-]", "?", text[:_LONGEST])


def _text(given: object, place: str, longest: int) -> str:
    if not isinstance(given, str) or not given.strip() or len(given) > longest:
        raise _Wrong(say("{place}: accepted is a text of 1 to {most} characters", place=place, most=longest))
    return given


# Conditions


def _conditions(given: object) -> dict[str, tuple[Pattern, ...]]:
    table = _table(given, "when", CONDITIONS)
    return {key: tuple(_patterns(key, table[key])) for key in CONDITIONS if key in table}


def _patterns(condition: str, given: object) -> Iterable[Pattern]:
    """The patterns of one condition: a text, or a list of some."""
    place = f"when.{condition}"
    listed = given if isinstance(given, list) else [given]
    if not listed or len(listed) > _MOST_PATTERNS:
        raise _Wrong(say("{place}: accepted is a text, or a list of 1 to {most}", place=place, most=_MOST_PATTERNS))
    for one in listed:
        text = _text(str(one) if type(one) is int else one, place, _LONGEST).strip()
        pattern = Pattern(text, lowers=condition == "tag")
        known: Sequence[str] | None = {"kind": KINDS, "program": _programs()}.get(condition)
        fits: Callable[[str], bool] = pattern.fits if condition == "program" else pattern.text.__eq__
        if known is not None and not any(map(fits, known)):
            unknown = say("{place}: accepted are {choices}", place=place, choices=", ".join(known))
            raise _Wrong(unknown + suggestion(text, known))
        yield pattern


@cache
def _programs() -> tuple[str, ...]:
    return tuple(sorted(set(user_agents.names())))


# What a row sets


def _model(given: object) -> str:
    if not isinstance(given, str) or not re.fullmatch(r"[\x21-\x7e]{1,200}", given):
        raise _Wrong(say("model: accepted is a model id"))
    if "*" in given or "?" in given:
        raise _Wrong(say("model: it is the one that answers, so it has no * and no ?; patterns go into when.model"))
    host, colon, _ = given.partition(":")
    if "://" in given or (colon and host in profiles.names()):
        raise _Wrong(
            say(
                "model: {model} names another host. A row chooses among the models of the host that the request goes "
                "to; hunyuan_upstream sends all requests elsewhere, hunyuan_fallbacks those that fail",
                model=given,
            )
        )
    if retired := _retired(given):
        day, successor = retired
        gone = say("model: {model} was retired on {day}", model=given, day=day)
        raise _Wrong(gone + (say("; its successor is {successor}", successor=successor) if successor else ""))
    return given


def _retired(model: str) -> tuple[str, str] | None:
    """The day since which a model is gone wherever it is known, and its successor; `None` for any other."""
    known = [found for name in profiles.names() if (found := profiles.load(name).models.get(model)) is not None]
    if not known or not all(found.retired for found in known):
        return None
    return known[0].retired, next((found.successor for found in known if found.successor), "")


def _values(given: object, place: str) -> dict[str, Any]:
    table = _table(given, place, VALUES)
    return {key: _CHECKED[key](table[key], f"{place}.{key}") for key in VALUES if key in table}


def _number(given: object, place: str, least: float, most: float) -> float:
    if isinstance(given, int | float) and not isinstance(given, bool) and least <= given <= most:
        return given
    raise _Wrong(say("{place}: accepted is a number from {least} to {most}", place=place, least=least, most=most))


def _temperature(given: object, place: str) -> float:
    return _number(given, place, 0, _HOTTEST)


def _top_p(given: object, place: str) -> float:
    return _number(given, place, 0, 1)


def _max_tokens(given: object, place: str) -> int:
    if type(given) is not int or not 1 <= given <= _MOST_TOKENS:
        raise _Wrong(
            say("{place}: accepted is a whole number from {least} to {most}", place=place, least=1, most=_MOST_TOKENS)
        )
    return given


def _effort(given: object, place: str) -> str:
    word = efforts.word(given)
    if not word:
        unknown = say("{place}: accepted are {choices}", place=place, choices=", ".join(efforts.WORDS))
        raise _Wrong(unknown + (suggestion(given, efforts.WORDS) if isinstance(given, str) else ""))
    return word


_CHECKED: Mapping[str, Callable[[object, str], Any]] = {
    "temperature": _temperature,
    "top_p": _top_p,
    "max_tokens": _max_tokens,
    "effort": _effort,
}


def _system(given: object) -> SystemText:
    if isinstance(given, str):
        given = {"text": given}
    table = _table(given, "system", ("text", "role", "place"))
    if "text" not in table:
        raise _Wrong(say("system: needed is its text"))
    text = _text(table["text"], "system.text", _LONGEST_TEXT)
    chosen = {}
    for key in _CHOICES:
        choices = _CHOICES[key]
        if key in table and table[key] not in choices:
            unknown = say("{place}: accepted are {choices}", place=f"system.{key}", choices=", ".join(choices))
            raise _Wrong(unknown + suggestion(str(table[key])[:_LONGEST], choices))
        if key in table:
            chosen[key] = table[key]
    return SystemText(text, **chosen)


_CHOICES: Final = {"role": ("system", "developer"), "place": ("missing", "before")}
"""What `SystemText` may have beside its text."""
