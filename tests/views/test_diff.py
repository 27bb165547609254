"""The page of changes."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.views import diff
from hunyuan_fix.wire import json_body
from tests.strategies import json_values

BEFORE = json_body.serialise(
    {"model": "hunyuan-lite", "n": 1, "messages": [{"role": "user", "content": "data:image/png;base64," + "A" * 4000}]}
)
AFTER = json_body.serialise({"model": "hunyuan-lite", "messages": [{"role": "user", "content": "你好"}]})
PAGE = """\
─── diff ───
--- as it came
+++ as it left
@@ -1,10 +1,9 @@
 {
   "model": "hunyuan-lite",
-  "n": 1,
   "messages": [
     {
       "role": "user",
-      "content": "data:image/png;base64,… 3 kB"
+      "content": "你好"
     }
   ]
 }
"""


def test_page() -> None:
    assert diff.compared(BEFORE, AFTER) == PAGE


def test_a_request_that_was_not_kept() -> None:
    assert "hunyuan_keep_original" in diff.compared(None, AFTER)


def test_nothing_changed() -> None:
    assert diff.compared(AFTER, AFTER) == "─── diff ───\nThe bodies are the same.\n"


def test_very_long_bodies_are_not_compared() -> None:
    long = json_body.serialise(list(range(30_000)))
    assert diff.unified(long, b"[]") == "Too long to compare: 30,002 and 1 lines."


@given(st.one_of(st.binary(), json_values.map(json_body.serialise)), st.binary())
def test_nothing_raises(before: bytes, after: bytes) -> None:
    diff.compared(before, after).encode()


@given(json_values)
def test_a_diff_is_empty_only_for_equal_bodies(value: Any) -> None:
    body = json_body.serialise({"value": value})
    assert diff.unified(body, body) == ""
    assert diff.unified(body, json_body.serialise({"value": value, "more": 1})) != ""
