from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.wire import chat_events
from tests.answers.streamed import DONE, chunk, content, tool_frames, usage


@pytest.mark.parametrize(
    "raw", [content("字"), content('"error"'), content("x") * 3, tool_frames(), usage(), b": ping\n\n", b""]
)
def test_what_goes_on_is_known_by_its_bytes(raw: bytes) -> None:
    assert chat_events.go_on(raw)


@pytest.mark.parametrize(
    "raw",
    [
        DONE,
        content("x") + DONE,
        content("x", "stop"),
        content("x") + content("", "stop"),
        content("x").replace(b"null", b'"stop"'),
        content("x").replace(b'"finish_reason":', b'"finish_reason" :'),
        content("x").replace(b'"finish_reason"', b'"finish\\u005freason"'),
        chunk({}, error="x"),
        b'data: {"err\\u006fr":1}\n\n',
    ],
)
def test_what_tells_an_end_or_an_error_has_to_be_read(raw: bytes) -> None:
    assert not chat_events.go_on(raw)


VALUES: st.SearchStrategy[object] = st.sampled_from([None, "stop", "", {}, 0])
KEYS = st.sampled_from(["error", "finish_reason", "x"])


@given(st.dictionaries(KEYS, st.one_of(VALUES, st.dictionaries(KEYS, VALUES))), st.sampled_from([None, 1]))
def test_a_yes_is_never_wrong(event: dict[str, object], indent: int | None) -> None:
    raw = json.dumps(event, indent=indent).encode()
    inner = [value for value in event.values() if isinstance(value, dict)]
    said = any(found.get("error") or found.get("finish_reason") for found in [event, *inner])
    assert not (said and chat_events.go_on(raw))
