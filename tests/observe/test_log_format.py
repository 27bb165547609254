"""A line of the log as text with its date, and as JSON."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.events import Done
from hunyuan_fix.exchange import Exchange
from hunyuan_fix.observe.done import done
from hunyuan_fix.observe.log import ExchangeLine
from hunyuan_fix.observe.log_format import JsonLines, TextLines

AT = 1_764_385_200.5
SECRET = "sk-secret"


def record(message: object, *args: object, level: int = logging.INFO, error: BaseException | None = None) -> Any:
    info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("hunyuan_fix", level, "", 1, message, args, info)
    made.created = AT
    return made


def of_exchange(**fields: Any) -> Done:
    exchange = Exchange(
        method="POST", path="/v1/chat/completions", model="hy3", dialect="chat", id="f1", request_id="r1", profile="p"
    )
    for name, value in fields.items():
        setattr(exchange, name, value)
    return done(exchange, "200", "answered", 200)


def raised() -> ValueError:
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        return error


def test_text_begins_with_date_and_level_and_goes_on_with_a_tab():
    line = TextLines().format(record("two\n%s", "lines", level=logging.WARNING))
    assert line == "2025-11-29T03:00:00.500Z warning two\n\tlines"


def test_an_exchange_is_text_without_colours():
    shown = ExchangeLine(of_exchange(rules=["merge"]), colours=True)
    line = TextLines().format(record(shown))
    assert "\x1b" in str(shown)
    assert "\x1b" not in line
    assert line.startswith("2025-11-29T03:00:00.500Z info POST /v1/chat/completions model=hy3 rules=merge ")


def test_an_exchange_is_an_object_with_the_fields_of_its_record():
    told = of_exchange(usage={"input": 3}, upstream_id="u1", milliseconds=1.26, elapsed=12.0)
    line = json.loads(JsonLines().format(record(ExchangeLine(told))))
    assert {name: line.pop(name) for name in ("time", "level", "event", "message")} == {
        "time": "2025-11-29T03:00:00.500Z",
        "level": "info",
        "event": "exchange",
        "message": "POST /v1/chat/completions -> 200",
    }
    assert line == {**told, "addon_ms": 1.3}
    assert (line["id"], line["request_id"], line["upstream_id"]) == ("f1", "r1", "u1")


def test_another_line_is_an_object_with_its_message():
    line = json.loads(JsonLines().format(record("a %s", '"b"\n', level=logging.ERROR)))
    assert line == {
        "time": "2025-11-29T03:00:00.500Z",
        "level": "error",
        "event": "log",
        "message": 'a "b"\n',
        "logger": "hunyuan_fix",
    }


@pytest.mark.parametrize("form", [TextLines(), JsonLines()])
def test_the_text_of_an_exception_is_left_out(form: logging.Formatter):
    line = form.format(record("it failed", error=raised()))
    assert SECRET not in line
    assert "ValueError" in line
    assert "in raised" in line


@given(st.text(max_size=300), st.text(max_size=300))
def test_nothing_that_a_client_sends_makes_a_second_line_or_a_long_one(model: str, message: str):
    line = JsonLines().format(record(ExchangeLine(of_exchange(model=model, path=model, sent_model=model))))
    assert "\n" not in line and len(line) < 2000
    json.loads(line)
    line = JsonLines().format(record("%s", message))
    assert "\n" not in line
    assert TextLines().format(record("%s", message)).count("\n") == TextLines().format(record("%s", message)).count(
        "\n\t"
    )
