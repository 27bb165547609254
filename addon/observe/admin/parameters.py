"""Parameters of a request: declared as JSON Schema, from which the description is made, and read by it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from ...exchange import JsonObject
from ...texts.sentence import Sentence
from ...wire import proxy_errors
from ...wire.openai_error import ProxyError

_NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,20})?([eE][+-]?\d{1,3})?", re.ASCII)
_MOST = 50
"""Parameters of one request."""


class Unusable(Exception):
    """A parameter or field that can't be used. `error` is the answer."""

    def __init__(self, field: str, why: Sentence) -> None:
        super().__init__(field)
        self.error: ProxyError = proxy_errors.ADMIN_BAD_REQUEST(field=field, why=why, param=field)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter. `schema`: a string (`minLength`, `maxLength`, `enum`, `pattern` with `examples`), an integer or a
    number (`minimum`, `maximum`). `where`: `query`, `path` or `header`.
    """

    name: str
    help: str
    schema: JsonObject
    where: str = "query"

    def read(self, text: str) -> Any:
        """The value of `text`. Raises `Unusable`."""
        schema = self.schema
        if schema["type"] == "string":
            longest = schema.get("maxLength", len(text))
            if not schema.get("minLength", 0) <= len(text) <= longest:
                raise Unusable(self.name, Sentence("accepted are {least} to {most} characters", least=1, most=longest))
            if "enum" in schema and text not in schema["enum"]:
                raise Unusable(self.name, Sentence("accepted are {choices}", choices=", ".join(schema["enum"])))
            if "pattern" in schema and not re.fullmatch(schema["pattern"], text, re.ASCII):
                examples = ", ".join(schema["examples"])
                raise Unusable(self.name, Sentence("accepted are values such as {examples}", examples=examples))
            return text
        number = float(text) if _NUMBER.fullmatch(text) else math.nan
        if not schema["minimum"] <= number <= schema["maximum"] or (schema["type"] == "integer" and number % 1):
            raise Unusable(
                self.name,
                Sentence(
                    "accepted is a number from {least:.0f} to {most:.0f}",
                    least=schema["minimum"],
                    most=schema["maximum"],
                ),
            )
        return int(number) if schema["type"] == "integer" else number


def text(longest: int = 200, **more: Any) -> JsonObject:
    """The schema of a text that isn't empty."""
    return {"type": "string", "minLength": 1, "maxLength": longest, **more}


def number(least: float, most: float, kind: str = "number", **more: Any) -> JsonObject:
    """The schema of a number within bounds."""
    return {"type": kind, "minimum": least, "maximum": most, **more}


FORM = "application/x-www-form-urlencoded"


def read_form(content_type: str, body: bytes, fields: Iterable[Parameter]) -> dict[str, Any]:
    """The values of a form in the body of a request, by name. Raises `Unusable`, also where a field is missing."""
    if content_type.partition(";")[0].strip().lower() != FORM:
        raise Unusable("content-type", Sentence("accepted is {type}", type=FORM))
    fields = list(fields)
    values = read_query(body.decode("latin-1"), fields)
    for one in fields:
        if one.name not in values:
            raise Unusable(one.name, Sentence("it is missing"))
    return values


def read_query(query: str, parameters: Iterable[Parameter]) -> dict[str, Any]:
    """The values of a request's query, by name. Raises `Unusable` for any that isn't declared, or is given twice."""
    known: Mapping[str, Parameter] = {one.name: one for one in parameters if one.where == "query"}
    try:
        given = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_MOST)
    except ValueError:  # UnicodeDecodeError too
        raise Unusable("query", Sentence("it can't be read")) from None
    values: dict[str, Any] = {}
    for name, value in given:
        if name not in known:
            raise Unusable(
                name[:80],
                Sentence("there is no such parameter; accepted are {choices}", choices=", ".join(known) or "-"),
            )
        if name in values:
            raise Unusable(name, Sentence("it is given twice"))
        values[name] = known[name].read(value)
    return values
