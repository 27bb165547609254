"""Why an exchange failed, for its line in the log: a code and a few words, none of them a user's or a secret."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final

from ..exchange import Response
from ..texts import terminal
from . import json_body, proxy_errors
from .openai_error import ErrorResponse, ProxyError

LONGEST: Final = 80
"""Characters of a reason."""
_MOST_READ: Final = 600
"""Characters of a message that are looked at."""
LARGEST: Final = 1 << 20
"""Bytes of an error that are read."""
_LONGEST_CODE: Final = 40
_CODE: Final = re.compile(r"[A-Za-z][A-Za-z_.]*(?:[._-]?\d{1,6})?|\d{1,6}")
_QUOTED: Final = re.compile(r"""(["`]|(?<!\w)')[^"`']{0,300}\1|[“‘「『《][^”’」』》]{0,300}[”’」』》]""")
_WORD: Final = re.compile(r"[A-Za-z_]+|[\u3400-\u9fff]+|[^\sA-Za-z_\u3400-\u9fff]+")
_LEFT_OUT: Final = "…"
_LEAST_KEPT: Final = 5
"""Characters for each gap: with fewer the rest would say nothing."""


def of_error(error: ProxyError) -> str:
    """The reason of an error of ours: its code, and when clients get it, in the language of the log.

    With an endpoint's error in it the code is the endpoint's, where that has one.
    """
    own = _cut(f"{error.code}: {terminal.say(error.when)}") if error.when else str(error.code)
    code = _code(error.vendor.get("code")) if error.vendor else ""
    return _cut(f"{code} {own}") if code and code not in own else own


def of_known(reason: str) -> str:
    """`ProxyError.reason` of an error of ours in the language of the log; `""` for any other text."""
    entry = _reasons().get(reason)
    return "" if entry is None else _cut(f"{entry.code}: {terminal.say(entry.when)}")


def of_endpoint(status: int, error: object) -> str:
    """The reason of an endpoint's error object: its code, type or `status`, and the words that errors are made of."""
    given: Mapping[str, object] = error if isinstance(error, dict) else {}
    code = _code(given.get("code")) or _code(given.get("type")) or (f"HTTP {status}" if status else "error")
    message = given.get("message")
    words = _words(message) if isinstance(message, str) else ""
    return _cut(f"{code}: {words}" if words else code)


def in_stream(error: object) -> str:
    """The reason of an error object in a stream, of ours or the endpoint's."""
    code = error.get("code") if isinstance(error, dict) else None
    own = [entry for entry in proxy_errors.CATALOGUE.values() if entry.status == proxy_errors.IN_STREAM]
    known = next((entry for entry in own if entry.code == code), None)
    return of_endpoint(0, error) if known is None else of_known(f"{known.code}: {known.when}")


def of_answer(answer: Response) -> str:
    """The reason of an answer that is an error, of ours or the endpoint's, whatever its shape."""
    if isinstance(answer, ErrorResponse):
        return of_error(answer.error)
    body = json_body.parse_object(answer.body[:LARGEST]) or {}
    return of_endpoint(answer.status, body.get("error", body))


def _code(given: object) -> str:
    """A code as it may stand in the log: a word or a number. `""`: it is none, or may be a key."""
    text = "" if isinstance(given, bool) or not isinstance(given, str | int) else str(given)
    return text if len(text) <= _LONGEST_CODE and _CODE.fullmatch(text) else ""


def _words(message: str) -> str:
    """The words of `message` that may stand in the log; what stands in quotation marks, numbers and others are out.

    `""` where so many are out that the rest would say nothing.
    """
    said: list[str] = []
    for found in _WORD.finditer(_QUOTED.sub(f" {_LEFT_OUT} ", message[:_MOST_READ])):
        word = found[0]
        kept = _chinese(word) if word[0] >= "\u3400" else word if _is_known(word) else _LEFT_OUT
        if word in _MARKS and said:
            said[-1] += word
        elif kept != _LEFT_OUT or not said or not said[-1].endswith(_LEFT_OUT):
            said.append(kept)
    text = " ".join(said)
    return text if len(text) > _LEAST_KEPT * text.count(_LEFT_OUT) else ""


_MARKS: Final = frozenset(",.:;，。：；")


def _is_known(word: str) -> bool:
    """A word of the list, or one with underscores that is made of such: a field's name."""
    return all(part.lower() in _data().english for part in word.split("_") if part) and word.strip("_") != ""


def _chinese(run: str) -> str:
    """A run of Chinese characters, cut into words of the list, the longest first; others are left out."""
    said, at = "", 0
    while at < len(run):
        length = next((size for size in range(_data().longest, 0, -1) if run[at : at + size] in _data().chinese), 0)
        if length:
            said += run[at : at + length]
        elif not said.endswith(_LEFT_OUT):
            said += _LEFT_OUT
        at += length or 1
    return said


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + _LEFT_OUT


class _Data:
    """The words of `short_reason.toml`."""

    def __init__(self) -> None:
        given = tomllib.loads(resources.files(__package__).joinpath("short_reason.toml").read_text(encoding="utf-8"))
        self.english = frozenset(given["english"].split())
        self.chinese = frozenset(given["chinese"].split())
        self.longest = max(map(len, self.chinese))


@cache
def _data() -> _Data:
    return _Data()


@cache
def _reasons() -> dict[str, proxy_errors.Entry]:
    return {f"{entry.code}: {entry.when}": entry for entry in proxy_errors.CATALOGUE.values()}
