"""Errors of Tencent Cloud's own API in OpenAI's words, and back. What they mean is data: `errors.toml`.

The service answers HTTP 200 whatever happened, so an error has the status that it means in its object, as `status`:
an answer with it becomes one with that status (`wire.vendor_errors`), and in a stream it is all that tells.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from ...exchange import JsonObject
from ...wire import json_body

EXPIRED: Final = "AuthFailure.SignatureExpire"
"""The clocks differ by more than five minutes."""
_LONGEST: Final = 200
"""Characters of a code or a request's id that are taken over."""
_NO_REASON: Final = "The endpoint gave no reason."


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a native code means."""

    status: int
    type: str
    code: str
    retry: bool
    """Another try may help."""


def meaning(native_code: str) -> Meaning:
    """What `native_code` means: the longest code of the table that it begins with counts."""
    known = _data().native
    return next(
        known[native_code[:length]]
        for length in range(len(native_code[:_LONGEST]), -1, -1)
        if native_code[:length] in known
    )


def given(body: JsonObject) -> JsonObject | None:
    """OpenAI's error object for the error in an answer or in an event of a stream; `None` where there is none.

    It has `native_code`, and `request_id` where the endpoint names it. `body`: with its envelope `Response` or without.
    """
    inside = body.get("Response")
    inside = inside if isinstance(inside, dict) else body
    for name in ("Error", "ErrorMsg"):
        found = inside.get(name)
        if isinstance(found, dict) and found:
            return _object(found, inside.get("RequestId"))
    return None


def error(status: int, body: bytes) -> bytes:
    """The body of an answer with an error status, which a gateway sends: the native error in it as OpenAI's."""
    parsed = json_body.parse_object(body)
    made = None if parsed is None else given(parsed)
    return body if made is None else json_body.serialise({"error": {**made, "status": status}})


def native_code(status: int, error: Mapping[str, object]) -> str:
    """The native code for OpenAI's error object `error` of an answer with `status`; 0: of a stream."""
    known = error.get("native_code")
    if isinstance(known, str) and known:
        return known
    own = error.get("status")
    status = status or (own if isinstance(own, int) else 0)
    return next(row.native for row in _data().openai if row.fits(status, error))


def _object(found: JsonObject, request_id: object) -> JsonObject:
    code, message = _code(found.get("Code")), found.get("Message", found.get("Msg"))
    meant = meaning(code)
    made: JsonObject = {
        "message": message if isinstance(message, str) and message else _NO_REASON,
        "type": meant.type,
        "param": None,
        "code": meant.code,
        "native_code": code,
        "status": meant.status,
    }
    if isinstance(request_id, str) and request_id:
        made["request_id"] = request_id[:_LONGEST]
    return made


def _code(value: object) -> str:
    is_word = isinstance(value, str | int) and not isinstance(value, bool)
    return str(value)[:_LONGEST] if is_word else ""


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the table from OpenAI's errors to native codes."""

    native: str
    codes: frozenset[str]
    types: frozenset[str]
    statuses: frozenset[int]

    def fits(self, status: int, error: Mapping[str, object]) -> bool:
        """Whether it is about `error` of an answer with `status`."""
        if not (self.codes or self.types or self.statuses):
            return True
        return str(error.get("code")) in self.codes or str(error.get("type")) in self.types or status in self.statuses


@dataclass(frozen=True, slots=True)
class _Data:
    native: Mapping[str, Meaning]
    openai: tuple[_Row, ...]


@cache
def _data() -> _Data:
    given = tomllib.loads(resources.files(__package__).joinpath("errors.toml").read_text(encoding="utf-8"))
    native: dict[str, Meaning] = {}
    for row in given["native"]:
        native |= dict.fromkeys(row.pop("codes"), Meaning(**row))
    return _Data(
        native=native,
        openai=tuple(
            _Row(
                row["native"],
                frozenset(row.get("codes", ())),
                frozenset(row.get("types", ())),
                frozenset([*row.get("statuses", ()), *range(row.get("from", 0), row.get("to", -1) + 1)]),
            )
            for row in given["openai"]
        ),
    )
