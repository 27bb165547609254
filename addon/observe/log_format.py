"""How a line of the log is written: as text, or as an object of JSON. In a file it has the date, too.

Text of exceptions is left out: it may quote a message or a key. In JSON an exchange has the fields of `events.Done`.
Nothing that comes from outside, which other programs log too, makes a line of its own or moves a terminal's cursor.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from ..exchange import JsonObject
from ..wire import json_body, safe_text
from ..wire.safe_text import plain
from .log import ExchangeLine

_OF_CLIENTS = ("method", "path", "model", "sent_model")
"""Fields of an exchange with what a client sent: each may be of any length."""


class TextLines(logging.Formatter):
    """Lines of a file: date and time in UTC, level, message. Further lines of a message begin with a tab."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, or several of which only the first begins with a date."""
        message, trace = message_of(record), _trace(record)
        text = f"{_time(record)} {_level(record)} {message}" + (f"\n{trace}" if trace else "")
        return safe_text.lines(text).replace("\n", "\n\t")


class JsonLines(logging.Formatter):
    """One object of JSON for each line of the log: `time`, `level`, `event` (`exchange` or `log`), `message`.

    An exchange has the fields of `events.Done`; any other line has `logger`, and `trace` where an exception is logged
    with it.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: JsonObject = {"time": _time(record), "level": _level(record)}
        if isinstance(record.msg, ExchangeLine):
            done = record.msg.done
            told: JsonObject = {
                **done,
                **{name: plain(str(text)) for name, text in done.items() if name in _OF_CLIENTS},
            }
            told |= {name: round(value, 1) for name, value in done.items() if isinstance(value, float)}
            line |= {"event": "exchange", "message": f"{told['method']} {told['path']} -> {done['outcome']}", **told}
        else:
            line |= {"event": "log", "message": message_of(record), "logger": record.name}
            if trace := _trace(record):
                line["trace"] = trace
        return safe_text.in_json(json_body.serialise(line).decode())


def message_of(record: logging.LogRecord) -> str:
    """What `record` says, without colours."""
    return record.msg.text() if isinstance(record.msg, ExchangeLine) else record.getMessage()


def _time(record: logging.LogRecord) -> str:
    """RFC 3339, in milliseconds."""
    moment = datetime.fromtimestamp(record.created, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _level(record: logging.LogRecord) -> str:
    return record.levelname.lower()


def _trace(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    return "" if error is None else safe_text.traceback_without_text(error)
