"""A line of the log as text with its date, and as JSON."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.config import worker_place
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


HOSTILE = (
    "a\r\n2026-01-01T00:00:00.000Z info POST /forged\x1b[2J\x1b]0;title\x07\x9b1A\x08"
    "\u202egnp.exe\u2066\u2028next\x85\x00\x0b\x7f\u061c"
)
UNSEEN = set("\r\x1b\x07\x9b\x08\u202e\u2066\u2028\x85\x00\x0b\x7f\u061c")


@pytest.mark.parametrize("form", [TextLines(), JsonLines()])
def test_what_other_programs_log_of_a_client_moves_no_cursor_and_forges_no_line(form: logging.Formatter):
    for message, args in (("client sent: %s", (HOSTILE,)), (HOSTILE, ())):
        line = form.format(record(message, *args))
        assert not UNSEEN & set(line)
        assert len(line.splitlines()) == (1 if isinstance(form, JsonLines) else 2)
        assert all(part.startswith("\t") for part in line.splitlines()[1:])
    if isinstance(form, JsonLines):
        assert json.loads(line)["message"] == HOSTILE


@pytest.mark.parametrize("form", [TextLines(), JsonLines()])
@pytest.mark.parametrize("name", [name for name, value in of_exchange().items() if isinstance(value, str)])
def test_no_field_of_an_exchange_makes_a_second_line(form: logging.Formatter, name: str):
    told: Any = {**of_exchange(dialect="anthropic", request_id="r"), "failure": "f", name: HOSTILE}
    line = form.format(record(ExchangeLine(told)))
    assert not UNSEEN & set(line)
    assert len(line.splitlines()) == 1 or all(part.startswith("\t") for part in line.splitlines()[1:])


@given(st.text(alphabet=st.characters(), max_size=100))
def test_in_json_every_text_is_read_back_and_in_text_every_letter_stays(message: str):
    whole = message.encode("utf-8", "ignore").decode()
    line = JsonLines().format(record("%s", whole))
    assert len(line.splitlines()) == 1
    assert json.loads(line)["message"] == whole
    kept = "".join(letter for letter in whole if letter.isprintable())
    shown = TextLines().format(record("%s", whole))
    assert [letter for letter in kept if letter not in shown] == []


def test_a_line_names_the_worker_where_there_are_several(monkeypatch: pytest.MonkeyPatch) -> None:
    line = record("said")
    assert TextLines().format(line).endswith(" info said")
    assert "worker" not in json.loads(JsonLines().format(line))
    monkeypatch.setattr(worker_place, "_own", worker_place.WorkerPlace(2, 4))
    assert TextLines().format(line).endswith(" info [2] said")
    assert json.loads(JsonLines().format(line))["worker"] == 2
