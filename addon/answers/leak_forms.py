"""The forms in which models write tool calls in text (`leaks.toml`), and the calls of a block of it. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from typing import Any

from ..exchange import AnswerPlan, JsonObject
from ..profiles import Model
from ..wire import json_body
from .tool_placing import MAX_CALLS


@dataclass(frozen=True, slots=True)
class LeakedCall:
    """A tool call that was found in text. `id` is empty where the model gave none."""

    name: str
    arguments: str
    """A JSON object."""
    id: str = ""


type Found = str | LeakedCall
"""A piece of a block: a call, or text that is none."""


type Pair = tuple[str, re.Pattern[str], str]
"""What stands before a key, between key and value, and behind the value."""


@dataclass(frozen=True, slots=True)
class Form:
    """One form, as `leaks.toml` describes it."""

    name: str
    models: tuple[str, ...]
    blocks: Mapping[str, str]
    """What begins a block -> what ends it."""
    call: tuple[str, str] | None
    names: tuple[re.Pattern[str], ...]
    pair: Pair | None
    in_reasoning: bool

    def found_in(self, begin: str, inside: str, offered: Offered) -> list[Found]:
        """The calls between `begin` and the end of a block, and texts between them that aren't blank.

        Empty if there is no call of a tool that is offered.
        """
        pieces = list(self._pieces(begin, inside, offered))
        if not any(isinstance(piece, LeakedCall) for piece in pieces):
            return []
        return [piece for piece in pieces if isinstance(piece, LeakedCall) or piece.strip()]

    def _pieces(self, begin: str, inside: str, offered: Offered) -> Iterator[Found]:
        if self.call is None or begin == self.call[0]:
            yield from self._calls(inside, offered)
            return
        opens, closes = self.call
        place, number = 0, 0
        while (start := inside.find(opens, place)) >= 0 and number < MAX_CALLS:
            end = inside.find(closes, start + len(opens))
            if end < 0:
                break
            yield inside[place:start]
            place, number = end + len(closes), number + 1
            calls = self._calls(inside[start + len(opens) : end], offered)
            yield from calls
            if not calls:
                yield inside[start:place]
        yield inside[place:]

    def _calls(self, text: str, offered: Offered) -> list[LeakedCall]:
        """The calls in the inside of a call's marks: one, or in JSON several; none if any isn't whole, or offered."""
        calls = self._named(text, offered) if self.names else _in_json(text)
        return calls if all(call.name in offered.names for call in calls) else []

    def _named(self, text: str, offered: Offered) -> list[LeakedCall]:
        head = next(filter(None, (pattern.match(text) for pattern in self.names)), None)
        if head is None:
            return []
        name, rest = head["name"], text[head.end() :]
        texts = offered.texts.get(name, [])
        arguments = _object(rest) if self.pair is None else _of_pairs(rest, self.pair, texts)
        return [] if arguments is None else [LeakedCall(name, arguments, head.groupdict().get("id") or "")]


@dataclass(frozen=True, slots=True)
class Offered:
    """The tools of a request: their names, and of each the names of parameters that are texts."""

    names: frozenset[str]
    texts: Mapping[str, list[str]]

    @classmethod
    def of(cls, plan: AnswerPlan) -> Offered:
        """Those that `plan` knows of."""
        return cls(frozenset(plan.tools), plan.text_arguments)


def expect(plan: AnswerPlan, body: JsonObject, model: Model) -> None:
    """Note in `plan` what the answer to the chat request `body` may leak. `plan.tools` has the tools that it offers."""
    plan.splits_thinking = model.thinking is not None and body.get("reasoning_split") is not False
    if not plan.tools or body.get("tool_choice") == "none":
        return
    plan.leaks = list(_of_model(model.id))
    if any(form.pair for form in forms(plan)):
        plan.text_arguments = {name: texts for name, texts in map(_texts_of, body["tools"]) if texts}


def forms(plan: AnswerPlan) -> list[Form]:
    """The forms that `plan` names."""
    return [form for form in _all() if form.name in plan.leaks]


@cache
def _all() -> tuple[Form, ...]:
    given = tomllib.loads(resources.files(__package__).joinpath("leaks.toml").read_text(encoding="utf-8"))
    return tuple(map(_form, given["forms"]))


def _form(row: dict[str, Any]) -> Form:
    call, pair = row.get("call"), row.get("pair")
    return Form(
        name=row["name"],
        models=tuple(row["models"]),
        blocks=dict(row["blocks"]),
        call=(call[0], call[1]) if call else None,
        names=tuple(map(re.compile, row.get("names", ()))),
        pair=(pair[0], re.compile(pair[1]), pair[2]) if pair else None,
        in_reasoning=row.get("in_reasoning", False),
    )


@cache
def _of_model(model_id: str) -> tuple[str, ...]:
    plain = model_id.rpartition("/")[2].lower()
    return tuple(form.name for form in _all() if any(fnmatchcase(plain, pattern) for pattern in form.models))


def _texts_of(tool: object) -> tuple[str, list[str]]:
    """The name of a tool, and its parameters that are texts by their schema."""
    function = tool.get("function") if isinstance(tool, dict) else None
    function = function if isinstance(function, dict) else {}
    schema = function.get("parameters")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    texts = [
        key
        for key, value in (properties.items() if isinstance(properties, dict) else ())
        if isinstance(value, dict) and value.get("type") in ("string", ["string", "null"], ["null", "string"])
    ]
    return str(function.get("name")), texts


def _of_pairs(text: str, pair: Pair, texts: list[str]) -> str | None:
    """The arguments of pairs, as JSON; `None` if there is anything else. `texts`: the keys of texts.

    Another value is JSON where it can be read as such.
    """
    before, between, behind = pair
    found: JsonObject = {}
    place = 0
    while (start := text.find(before, place)) >= 0:
        middle = between.search(text, start + len(before))
        end = text.find(behind, middle.end()) if middle else -1
        if middle is None or end < 0 or text[place:start].strip():
            return None
        key, value = text[start + len(before) : middle.start()].strip(), text[middle.end() : end]
        if middle.group().endswith("\n"):
            value = value.removesuffix("\n")  # both stand around the value
        told = middle.groupdict().get("is_text")
        found[key] = value if (told == "true" if told else key in texts) else _value(value)
        place = end + len(behind)
    return None if text[place:].strip() else json_body.serialise(found).decode()


def _in_json(text: str) -> list[LeakedCall]:
    """The calls in a JSON object, a list of such, or a line for each; none if there is anything else."""
    whole = _parsed(text)
    values = [_parsed(line) for line in text.splitlines() if line.strip()] if whole is None else [whole]
    values = values[0] if len(values) == 1 and isinstance(values[0], list) else values
    calls = [_call_of(value) for value in values[: MAX_CALLS + 1]]
    return [call for call in calls if call] if all(calls) and len(calls) <= MAX_CALLS else []


def _call_of(value: object) -> LeakedCall | None:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    given = value.get("arguments", value.get("parameters", {}))
    arguments = _parsed(given) if isinstance(given, str) else given
    return LeakedCall(value["name"], json_body.serialise(arguments).decode()) if isinstance(arguments, dict) else None


def _object(text: str) -> str | None:
    """The JSON object in `text`, perhaps with the end of a fence behind it, in its own spelling."""
    bare = text.strip().removesuffix("```").strip()
    return bare if isinstance(_parsed(bare), dict) else None


def _value(text: str) -> Any:
    try:
        return json_body.parse(text.strip().encode("utf-8", "surrogatepass"))
    except json_body.InvalidJson:
        return text


def _parsed(text: str) -> Any:
    try:
        return json_body.parse(text.strip().encode("utf-8", "surrogatepass"))
    except json_body.InvalidJson:
        return None
