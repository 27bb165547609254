from __future__ import annotations

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
