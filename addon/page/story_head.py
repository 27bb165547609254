"""What an exchange was, how it ended, and if it failed: why, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypedDict

from .. import dialects, profiles
from ..exchange import JsonObject, printable
from ..texts import sentences
from ..views import assembled, shorten
from ..wire import proxy_errors, vendor_errors
from ..wire.proxy_errors import Entry
from .content import Content

_LONGEST: Final = 2000
"""Characters of an error's message."""
_TOLD: Final[tuple[str, ...]] = (
    *("id", "at", "over", "last", "client", "program", "model", "sent_model", "dialect", "profile", "mode"),
    *("upstream", "method", "path", "status", "how", "outcome", "failure", "error", "left", "streamed", "usage"),
    *("tokens", "session", "session_named", "tries", "ms", "addon_ms", "vision_ms", "queue_ms", "first_byte_ms"),
    *("first_token_ms", "rewritten", "changes", "rules", "request_id", "upstream_id", "lent", "cost", "json"),
)
"""What of an exchange's summary the head shows."""


class Failure(TypedDict):
    """Why an exchange failed. What isn't known is `""`."""

    code: str
    when: str
    """What has happened, in a few words."""
    advice: str
    """What to do about it."""
    message: str
    """What its client was told; of the endpoint's errors, with the endpoint's words."""


class Head(TypedDict):
    """What an exchange was. `facts`: names and numbers of `/api/exchanges/{id}`."""

    facts: JsonObject
    upstream_format: str
    failure: Failure | None
    warning: str


def head(summary: JsonObject, timeline: Sequence[JsonObject], content: Content | None, language: str) -> Head:
    """The head of an exchange."""
    facts = {name: summary[name] for name in _TOLD if name in summary}
    hosts = [event["data"]["upstream"] for event in timeline if event["data"].get("upstream")]
    if hosts:
        facts["upstream"] = hosts[-1]
    warning = content.exchange.get("warning") if content is not None else ""
    return {
        "facts": facts,
        "upstream_format": sent_format(summary, content),
        "failure": _failure(summary, content, language),
        "warning": printable(warning[:_LONGEST]) if isinstance(warning, str) else "",
    }


def sent_format(summary: JsonObject, content: Content | None) -> str:
    """The format in which a request was sent on, by its dialect's name; `""`: not known."""
    exchange = content.exchange if content is not None else {}
    dialect = _text(exchange.get("dialect")) or _text(summary.get("dialect"))
    if dialect in dialects.NATIVE:
        return _text(exchange.get("spoken")) or dialect
    if not dialect:
        return _text(exchange.get("spoken"))
    try:
        upstream = profiles.load(_text(summary.get("profile"))).dialect
        spoken = dialects.DIALECTS[dialect]
    except KeyError:
        return ""
    if upstream != dialects.HOUSE:
        return dialects.UPSTREAM_DIALECTS[upstream].name
    return dialect if spoken.is_house else spoken.house


def _failure(summary: JsonObject, content: Content | None, language: str) -> Failure | None:
    code, failure = _text(summary.get("error")), _text(summary.get("failure"))
    status = summary.get("status")
    is_refused = isinstance(status, int) and status >= 400
    if not (code or failure or is_refused or summary.get("how") == "failed"):
        return None
    entry = _entry(code, failure)
    error = _answer_error(content)
    codes = [str(error[name]) for name in ("code", "type") if error.get(name) not in (None, "")]
    advice = sentences.said(language, entry.advice) if entry else vendor_errors.says("", codes, language)
    return Failure(
        code=code or (codes[0][:80] if codes else ""),
        when=sentences.said(language, entry.when) if entry else "",
        advice=advice,
        message=printable(shorten.text(_text(error.get("message")))[:_LONGEST]) or printable(failure[:_LONGEST]),
    )


def _entry(code: str, failure: str) -> Entry | None:
    """The catalogue's entry: one code may have several, which the words behind the code tell apart."""
    found = [entry for entry in proxy_errors.CATALOGUE.values() if entry.code == code]
    said = failure.partition(": ")[2].rstrip("…").rstrip()
    if said:
        for entry in found:
            for language in ("en", "zh"):
                if sentences.said(language, entry.when).startswith(said[:40]):
                    return entry
    return found[0] if len(found) == 1 or (found and not said) else None


def _answer_error(content: Content | None) -> JsonObject:
    """The error object of an answer, in whatever shape; empty: there is none."""
    if content is None or not content.answer or len(content.answer) > 1 << 20:
        return {}
    if content.streamed:
        problems = assembled.from_stream(content.answer, under_way=True).problems
        return {"message": problems[0].values.get("message", problems[0])} if problems else {}
    body = shorten.parse_object(content.answer) or {}
    response = body.get("Response")
    if isinstance(response, dict) and isinstance(response.get("Error"), dict):
        given = response["Error"]
        return dict(message=given.get("Message"), code=given.get("Code"))  # noqa: C408 - as read, none of our own
    error = body.get("error")
    if isinstance(error, dict):
        details = error.get("details")
        inner = details.get("error_code") if isinstance(details, dict) else None
        return {**error, **({"code": inner} if inner else {})}
    return {"message": error} if isinstance(error, str) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
