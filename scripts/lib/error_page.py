"""docs/errors.md, made from the catalogue: `.venv/bin/python -m scripts.lib.error_page` writes it anew."""

from __future__ import annotations

from pathlib import Path

from hunyuan_fix.wire.proxy_errors import CATALOGUE, IN_STREAM, UPSTREAM_STATUS, Entry

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"

_RETRIED = frozenset([408, 409, 429])
"""Statuses below 500 that OpenAI's and Anthropic's SDKs retry (docs/facts/clients.md#retries)."""

_HEAD = """\
# The proxy's own errors

This page is made from `addon/wire/proxy_errors.py` by `python -m scripts.lib.error_page`.

All are JSON in the client's format; the message says what is wrong and what to do. Clients of the chat API get OpenAI's
shape, `{"error": {"message", "type", "param", "code"}}`. Clients of Anthropic's API get theirs, `{"type": "error",
"error": {"type", "message", "details"}}`, with the code as `details.error_code` and OpenAI's object as
`details.original`. Claude Code gets another status where it would repeat the one below for nothing, or show other words
than the message. One code may have several causes, a row each. An error of the endpoint's that isn't listed here passes
unchanged; one that is (the last rows) keeps the vendor's message, and its whole error object stands under
`error.vendor`.

"Retried": whether OpenAI's and Anthropic's SDKs send the request again by themselves. `x-should-retry` tells them so
where the status alone would mislead them.

| Status | Code | When | What to do | Retried |
|---|---|---|---|---|
"""


def page() -> str:
    """The text of docs/errors.md."""
    return _HEAD + "".join(map(_row, CATALOGUE.values()))


def _row(entry: Entry) -> str:
    return f"| {_status(entry)} | `{entry.code}` | {entry.when} | {entry.advice} | {_retried(entry)} |\n"


def _status(entry: Entry) -> str:
    if entry.status == IN_STREAM:
        return "in the stream"
    return "the endpoint's" if entry.status == UPSTREAM_STATUS else str(entry.status)


def _retried(entry: Entry) -> str:
    if entry.status == IN_STREAM:
        return "no"
    if entry.status == UPSTREAM_STATUS:
        return "by status"
    by_status = entry.status >= 500 or entry.status in _RETRIED
    return "yes" if (by_status if entry.retry is None else entry.retry) else "no"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
