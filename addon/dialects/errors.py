"""What an error of an endpoint or of this proxy says and means, whatever format the client gets it in.

The words and codes of vendors: `errors.toml`.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from ..exchange import JsonObject
from ..texts import sentences
from ..texts.sentence import Sentence, in_language
from ..wire import flaws, json_body, vendor_errors
from ..wire.flaws import Flaw
from ..wire.openai_error import ProxyError

_OVERFLOWS: Final = frozenset([400, 413, 422])
"""Statuses of requests that are too long. A 429 may speak of tokens a minute."""
_MAY_PASS: Final = frozenset([408, 409, 425, 429])
"""Statuses below 500 after which another try may help."""
_LONGEST: Final = 4000
"""Characters of a message that are passed on."""
LARGEST_OBJECT: Final = 16 * 1024
"""Bytes of a vendor's error object that is passed on beside its message."""
_EXCERPT: Final = 500
"""Characters of a body that is no error object."""
_NO_REASON: Final = "The endpoint answered HTTP {status} and gave no reason."
_PAGE: Final = "The endpoint answered HTTP {status} with a page in place of an error."
_TITLED_PAGE: Final = "The endpoint answered HTTP {status} with a page in place of an error: {title}."
_TEXT: Final = "The endpoint answered HTTP {status}: {text}"
_FAILED: Final = "The endpoint failed."
TEMPLATES: Final = (_NO_REASON, _PAGE, _TITLED_PAGE, _TEXT, _FAILED)
"""What is said of errors that say nothing themselves."""
_TITLE = re.compile(r"<title[^>]{0,100}>([^<]{1,200})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Given:
    """An error as it was given."""

    message: str
    type: str = ""
    codes: tuple[str, ...] = ()
    """The error's own code, and the vendor's, if that is another."""
    original: JsonObject | None = None
    """The error object itself, the vendor's own where ours stands around it."""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an error means."""

    status: int
    message: str
    """The error's own message, cut where it is very long."""
    said: str
    """The message with a vendor's code that it lacks, and what that code means."""
    retry_after: int | None = None
    """Seconds, where its code says so."""
    too_long: dict[str, int] | None = None
    """The input is longer than the model reads: the numbers in the message, by the names of `errors.toml`."""
    too_much: dict[str, int] | None = None
    """More output was asked for than the model writes: the numbers, likewise."""
    refuses_content: bool = False
    """The endpoint's moderation refuses what was said: the same is refused again."""


def language(note: JsonObject) -> str:
    """The language of errors for the client whose request left `note`."""
    named = note.get("language")
    return named if isinstance(named, str) else sentences.SOURCE


def in_clients_language(error: ProxyError, note: JsonObject) -> ProxyError:
    """`error` for the client whose request left `note`."""
    return error.in_language(language(note))


def given_in(body: bytes, status: int, language: str = sentences.SOURCE) -> Given:
    """The error in an answer's `body`, which may be anything. `language`: of what is said where it says nothing."""
    found = flaws.of_answer(body)
    if isinstance(found, Flaw) and found.error is not None:
        answer = json_body.parse_object(found.error) or {}
        beside = answer.get("request_id") or answer.get("id")
        return of_object(answer.get("error"), status, beside if isinstance(beside, str) else "", language)
    text = body[: 4 * _LONGEST].decode("utf-8", "replace").strip()
    if not text:
        return Given(in_language(language, Sentence(_NO_REASON, status=status)))
    if text.startswith("<"):
        title = _TITLE.search(text)
        if title is None:
            return Given(in_language(language, Sentence(_PAGE, status=status)))
        return Given(in_language(language, Sentence(_TITLED_PAGE, status=status, title=title[1].strip())))
    return Given(in_language(language, Sentence(_TEXT, status=status, text=text[:_EXCERPT])))


def of_object(given: Any, status: int = 0, beside: str = "", language: str = sentences.SOURCE) -> Given:
    """The error in an OpenAI error object. `status`: of the answer, 0 in a stream; `beside`: a request's id."""
    given = given if isinstance(given, dict) else {}
    inner = given.get("vendor")
    original: JsonObject = inner if isinstance(inner, dict) else given
    codes = tuple(dict.fromkeys(code for code in map(_word, (given.get("code"), original.get("code"))) if code))
    message = given.get("message")
    if not isinstance(message, str) or not message.strip():
        message = (
            in_language(language, Sentence(_NO_REASON, status=status))
            if status
            else in_language(language, Sentence(_FAILED))
        )
    named = (original.get("request_id"), original.get("id"), beside)
    request_id = next((name for name in named if isinstance(name, str) and name), "")
    return Given(message, _word(given.get("type")), codes, original, request_id[:100])


def _word(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value)


def meaning(given: Given, status: int, language: str = sentences.SOURCE) -> Meaning:
    """What `given` means. `status`: of the answer, 0 in a stream, which has none. `language`: of the explanation."""
    known = next((_data().codes[code] for code in given.codes if code in _data().codes), {})
    status = known.get("status") or _status(given, status)
    message = given.message
    if len(message) > _LONGEST:
        message = message[:_LONGEST] + "…"
    said = vendor_errors.said(message, given.codes, vendor_errors.says(given.type, given.codes, language))
    if _refuses_content(given):
        return Meaning(400, message, said, refuses_content=True)
    too_long = too_much = None
    if known.get("kind") == "too_long" or status in _OVERFLOWS:
        too_long = _numbers(_data().too_long, message)
        too_long = {} if too_long is None and "kind" in known else too_long
        too_much = _numbers(_data().too_much, message)
    return Meaning(status, message, said, known.get("retry_after"), too_long, too_much)


def _refuses_content(given: Given) -> bool:
    named: JsonObject = {"type": given.type, "message": given.message}
    said = (given.original or {}, *({**named, "code": code} for code in (*given.codes, None)))
    return any(map(vendor_errors.refuses_content, said))


def may_pass(status: int, headers: dict[str, str]) -> bool:
    """Whether another try may help after an error of `status`, with `headers`."""
    match headers.get("x-should-retry"):
        case "true":
            return True
        case "false":
            return False
        case _:
            return status in _MAY_PASS or status >= 500


def _numbers(patterns: list[re.Pattern[str]], message: str) -> dict[str, int] | None:
    """The numbers in a message that one of `patterns` finds; `None` if none does."""
    found = next(filter(None, (pattern.search(message) for pattern in patterns)), None)
    if found is None:
        return None
    return {name: int(text) for name, text in found.groupdict().items() if text is not None and len(text) < 19}


def _status(given: Given, status: int) -> int:
    """The status that an error means: the one it came with, unless its type says more. A stream has none: 0."""
    by_type: int | None = _data().types.get(given.type)
    if status == 429 or not status:
        return by_type or status or _status_of_code(given) or 500
    return 402 if by_type == 402 else status


def _status_of_code(given: Given) -> int:
    """TokenHub's codes begin with their status: 429001 (document 1823/131595)."""
    for code in given.codes:
        if code.isascii() and code.isdigit() and len(code) in (3, 6) and 400 <= int(code[:3]) <= 599:
            return int(code[:3])
    return 0


@dataclass(frozen=True, slots=True)
class _Data:
    too_long: list[re.Pattern[str]]
    too_much: list[re.Pattern[str]]
    codes: dict[str, JsonObject]
    types: dict[str, int]


@cache
def _data() -> _Data:
    given = tomllib.loads(resources.files(__package__).joinpath("errors.toml").read_text(encoding="utf-8"))
    return _Data(
        too_long=[re.compile(row["pattern"], re.DOTALL) for row in given["too_long"]],
        too_much=[re.compile(row["pattern"], re.DOTALL) for row in given["too_much"]],
        codes={row["code"]: row for row in given["code"]},
        types=given["types"],
    )
