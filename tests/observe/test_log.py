from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from hunyuan_fix.exchange import Exchange
from hunyuan_fix.observe import log
from hunyuan_fix.observe.done import done

ROOT = Path(__file__).parents[2]


def exchange() -> Exchange:
    return Exchange(profile="hunyuan", dialect="chat", method="POST", path="/v1/chat/completions")


def line_of(exchange: Exchange, outcome: str, *, colours: bool = False) -> str:
    return log.line(done(exchange, outcome), colours=colours)


def test_the_line_of_an_exchange():
    ended = exchange()
    ended.model, ended.rules = "hunyuan-lite", ["merge", "parameters"]
    ended.vision_calls, ended.cached, ended.milliseconds = 1, 2, 12.345
    assert line_of(ended, "200") == (
        "POST /v1/chat/completions model=hunyuan-lite rules=merge,parameters "
        "vision_calls=1 cached=2 addon_ms=12.3 -> 200"
    )


def test_the_line_of_an_observed_exchange_says_would():
    ended = exchange()
    ended.mode, ended.rules, ended.vision_calls = "observe", ["cascade"], 2
    assert line_of(ended, "200") == (
        "POST /v1/chat/completions model=- would_apply=cascade would_call=2 cached=0 addon_ms=0.0 -> 200"
    )


def test_the_line_says_who_sent_it_and_how_long_it_waited():
    ended = exchange()
    ended.client, ended.queued = "alice", 1234.6
    assert " queue_ms=1235 client=alice -> 200" in line_of(ended, "200")
    ended.client, ended.queued = "", 0.9
    assert line_of(ended, "200").endswith(" addon_ms=0.0 -> 200"), "a wait that nobody would notice isn't said"


def test_the_line_has_what_was_sent_by_what_how_long_each_part_took_and_what_it_used():
    ended = exchange()
    ended.dialect, ended.model, ended.sent_model = "responses", "hunyuan-t1-latest", "hy3"
    ended.vision_calls, ended.milliseconds, ended.notes["vision"] = 2, 1210.4, {"ms": 1204.0}
    ended.called = 1204.0
    ended.queued, ended.first_byte, ended.elapsed, ended.tries = 4800.0, 412.0, 6420.2, 2
    ended.usage = {"input": 1200, "cached": 800, "output": 340, "reasoning": 20}
    ended.client, ended.program = "alice", "codex"
    line = line_of(ended, "200")
    assert line == (
        "POST /v1/chat/completions model=hunyuan-t1-latest->hy3 rules=- vision_calls=2 cached=0 addon_ms=6.4 "
        "vision_ms=1204 queue_ms=4800 first_byte_ms=412 ms=6420 tokens_in=1200 tokens_cached=800 tokens_out=340 "
        "tries=2 dialect=responses client=alice program=codex -> 200"
    )
    assert all("=" in word for word in line.partition(" -> ")[0].split()[2:])


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_readme_shows_a_line_as_it_is(page: str):
    ended = exchange()
    ended.model, ended.sent_model, ended.program = "hunyuan-t1-latest", "hy3", "codex"
    ended.rules, ended.vision_calls = ["successor", "cascade", "tools", "merge"], 1
    ended.called = 193.0
    ended.milliseconds, ended.notes["vision"], ended.first_byte, ended.elapsed = 196.5, {"ms": 193.0}, 6.0, 206.0
    assert f"\n{line_of(ended, '200')}\n" in (ROOT / page).read_text("utf-8")


@pytest.mark.parametrize("outcome", ["400", "400, client left"])
def test_a_failed_exchange_says_why(outcome: str):
    ended = exchange()
    ended.failure = "model_not_found: no such model"
    assert line_of(ended, outcome).endswith(" -> 400 model_not_found: no such model")
    assert line_of(ended, "200", colours=True).endswith(" -> \x1b[31m200 model_not_found: no such model\x1b[0m")


@pytest.mark.parametrize(
    ("outcome", "code"), [("200", "32"), ("429", "31"), ("200, client left", "32"), ("failed", "31")]
)
def test_on_a_terminal_rules_and_outcome_have_colours(outcome: str, code: str):
    ended = exchange()
    ended.rules = ["merge"]
    line = line_of(ended, outcome, colours=True)
    assert " rules=\x1b[36mmerge\x1b[0m " in line
    assert line.endswith(f" -> \x1b[{code}m{outcome}\x1b[0m")
    assert re.sub(r"\x1b\[\d+m", "", line) == line_of(ended, outcome)


def test_an_untouched_request_has_a_short_line():
    ended = Exchange(method="GET", path="/v1/models")
    assert line_of(ended, "200") == "GET /v1/models untouched -> 200"


def test_nothing_that_a_client_sends_can_forge_a_line():
    ended = exchange()
    ended.model = "a\nPOST /v1 rules=\x1b[31m " + "x" * 500
    line = line_of(ended, "200")
    assert line.isprintable()
    assert len(line) < 250


# Whether a line is heard


class Handler(logging.Handler):
    """Keeps what it takes."""

    def __init__(self, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.taken: list[int] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.taken.append(record.levelno)


@pytest.fixture
def loggers() -> tuple[logging.Logger, logging.Logger]:
    """A logger called as ours, and the one above it; no handlers."""
    above = logging.Logger("above", logging.DEBUG)
    ours = logging.Logger("hunyuan_fix", logging.NOTSET)
    ours.parent = above
    return ours, above


LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)


@pytest.mark.parametrize("last_resort", [logging.WARNING, logging.ERROR, None])
@pytest.mark.parametrize("propagate", [True, False])
@pytest.mark.parametrize("at", ["ours", "above", "both", "nowhere"])
@pytest.mark.parametrize("taken_from", [*LEVELS, logging.NOTSET])
@pytest.mark.parametrize("filtered", [False, True])
def test_a_line_is_heard_if_logging_would_give_it_to_a_handler(
    loggers: tuple[logging.Logger, logging.Logger],
    monkeypatch: pytest.MonkeyPatch,
    last_resort: int | None,
    propagate: bool,
    at: str,
    taken_from: int,
    filtered: bool,
):
    ours, above = loggers
    last = None if last_resort is None else Handler(last_resort)
    monkeypatch.setattr(logging, "lastResort", last)
    monkeypatch.setattr(logging, "raiseExceptions", False)
    handler = Handler(taken_from)
    if filtered:
        handler.addFilter(log.is_foreign)
    ours.propagate = propagate
    for logger, place in ((ours, "ours"), (above, "above")):
        if at in (place, "both"):
            logger.addHandler(handler)
    for level in LEVELS:
        handler.taken.clear()
        if last:
            last.taken.clear()
        ours.log(level, "a line")
        taken = handler.taken + (last.taken if last else [])
        assert log.is_heard(ours, level) == bool(taken), logging.getLevelName(level)


def test_a_line_below_the_loggers_own_level_is_not_heard(loggers: tuple[logging.Logger, logging.Logger]):
    ours, _ = loggers
    ours.addHandler(Handler())
    ours.setLevel(logging.WARNING)
    assert not log.is_heard(ours, logging.INFO)
