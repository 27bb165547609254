from __future__ import annotations

import io
import re

import pytest

from addon import log, record
from addon.route import Address, Route


def exchange() -> record.Record:
    address = Address("https", "api.hunyuan.cloud.tencent.com", 443, "/v1/chat/completions")
    route = Route("hunyuan", "chat", "https://api.hunyuan.cloud.tencent.com/v1", address, False, False, False)
    return record.start({}, "POST", "/v1/chat/completions?key=secret", route)


def test_the_line_of_an_exchange():
    done = exchange()
    done["model"], done["rules"] = "hunyuan-lite", ["merge", "parameters"]
    done["vision_calls"], done["cached"], done["milliseconds"] = 1, 2, 12.345
    assert log.exchange(done, "200") == (
        "POST /v1/chat/completions model=hunyuan-lite rules=merge,parameters "
        "vision_calls=1 cached=2 addon_ms=12.3 -> 200"
    )


def test_the_line_of_an_observed_exchange_says_would():
    done = exchange()
    done["mode"], done["rules"], done["vision_calls"] = "observe", ["cascade"], 2
    assert log.exchange(done, "200") == (
        "POST /v1/chat/completions model=- would_apply=cascade would_call=2 cached=0 addon_ms=0.0 -> 200"
    )


def test_the_line_says_who_sent_it_and_how_long_it_waited():
    done = exchange()
    done["client"], done["queued"] = "alice", 1234.6
    assert " queue_ms=1235 client=alice -> 200" in log.exchange(done, "200")
    done["client"], done["queued"] = "", 0.9
    assert log.exchange(done, "200").endswith(" addon_ms=0.0 -> 200"), "a wait that nobody would notice isn't said"


@pytest.mark.parametrize(
    ("outcome", "code"), [("200", "32"), ("429", "31"), ("200, client left", "32"), ("failed", "31")]
)
def test_on_a_terminal_rules_and_outcome_have_colours(outcome: str, code: str):
    done = exchange()
    done["rules"] = ["merge"]
    line = log.exchange(done, outcome, colours=True)
    assert " rules=\x1b[36mmerge\x1b[0m " in line
    assert line.endswith(f" -> \x1b[{code}m{outcome}\x1b[0m")
    assert re.sub(r"\x1b\[\d+m", "", line) == log.exchange(done, outcome)


def test_an_untouched_request_has_a_short_line():
    done = record.start({}, "GET", "/v1/models?key=secret", None)
    assert log.exchange(done, "200") == "GET /v1/models untouched -> 200"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("no_color", "shown"), [(None, True), ("", True), ("1", False), ("0", False)])
def test_colours_are_for_terminals_whose_user_wants_them(
    monkeypatch: pytest.MonkeyPatch, no_color: str | None, shown: bool
):
    """https://no-color.org: set and not empty, whatever its value."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    assert log.shows_colours(Terminal()) == shown
    assert not log.shows_colours(io.StringIO())


def test_nothing_that_a_client_sends_can_forge_a_line():
    done = exchange()
    done["model"] = "a\nPOST /v1 rules=\x1b[31m " + "x" * 500
    line = log.exchange(done, "200")
    assert line.isprintable()
    assert len(line) < 250


def test_a_failure_shows_types_and_places_and_no_text():
    def inner() -> None:
        raise ValueError("the user's words")

    def outer() -> None:
        try:
            inner()
        except ValueError as error:
            raise RuntimeError("more words") from error

    with pytest.raises(RuntimeError) as caught:
        outer()
    text = log.failure(caught.value)
    assert "words" not in text
    assert "builtins.RuntimeError" in text
    assert "builtins.ValueError" in text
    assert "in inner" in text
    assert __file__ in text


def test_a_hidden_context_is_not_shown():
    with pytest.raises(RuntimeError) as caught:
        try:
            raise ValueError
        except ValueError:
            raise RuntimeError from None
    assert "ValueError" not in log.failure(caught.value)
