from __future__ import annotations

import re

import pytest

from hunyuan_fix.exchange import Exchange
from hunyuan_fix.observe import log


def exchange() -> Exchange:
    return Exchange(profile="hunyuan", dialect="chat", method="POST", path="/v1/chat/completions")


def test_the_line_of_an_exchange():
    done = exchange()
    done.model, done.rules = "hunyuan-lite", ["merge", "parameters"]
    done.vision_calls, done.cached, done.milliseconds = 1, 2, 12.345
    assert log.line(done, "200") == (
        "POST /v1/chat/completions model=hunyuan-lite rules=merge,parameters "
        "vision_calls=1 cached=2 addon_ms=12.3 -> 200"
    )


def test_the_line_of_an_observed_exchange_says_would():
    done = exchange()
    done.mode, done.rules, done.vision_calls = "observe", ["cascade"], 2
    assert log.line(done, "200") == (
        "POST /v1/chat/completions model=- would_apply=cascade would_call=2 cached=0 addon_ms=0.0 -> 200"
    )


def test_the_line_says_who_sent_it_and_how_long_it_waited():
    done = exchange()
    done.client, done.queued = "alice", 1234.6
    assert " queue_ms=1235 client=alice -> 200" in log.line(done, "200")
    done.client, done.queued = "", 0.9
    assert log.line(done, "200").endswith(" addon_ms=0.0 -> 200"), "a wait that nobody would notice isn't said"


@pytest.mark.parametrize(
    ("outcome", "code"), [("200", "32"), ("429", "31"), ("200, client left", "32"), ("failed", "31")]
)
def test_on_a_terminal_rules_and_outcome_have_colours(outcome: str, code: str):
    done = exchange()
    done.rules = ["merge"]
    line = log.line(done, outcome, colours=True)
    assert " rules=\x1b[36mmerge\x1b[0m " in line
    assert line.endswith(f" -> \x1b[{code}m{outcome}\x1b[0m")
    assert re.sub(r"\x1b\[\d+m", "", line) == log.line(done, outcome)


def test_an_untouched_request_has_a_short_line():
    done = Exchange(method="GET", path="/v1/models")
    assert log.line(done, "200") == "GET /v1/models untouched -> 200"


def test_nothing_that_a_client_sends_can_forge_a_line():
    done = exchange()
    done.model = "a\nPOST /v1 rules=\x1b[31m " + "x" * 500
    line = log.line(done, "200")
    assert line.isprintable()
    assert len(line) < 250
