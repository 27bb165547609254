"""The page of changes."""

from __future__ import annotations

import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.columns import width
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


lines = st.lists(st.sampled_from("abcdefgh") | st.text("ab", max_size=2), max_size=40)


def applied(old: list[str], unified: list[str]) -> list[str]:
    """`old` after a unified diff, as `patch` reads it."""
    result, at = [], 0
    for line in unified[2:]:
        if line.startswith("@@"):
            first = int(line.split()[1][1:].partition(",")[0])
            count = line.split()[1].partition(",")[2]
            begin = first if count == "0" else first - 1
            result += old[at:begin]
            at = begin
        elif line[0] in " -":
            assert old[at] == line[1:]
            at += 1
        if line[0] in " +":
            result.append(line[1:])
    return result + old[at:]


@given(lines, lines)
def test_a_diff_leads_from_one_text_to_the_other(old: list[str], new: list[str]) -> None:
    made = list(diff._diff(old, new, ("a", "b")))
    assert bool(made) == (old != new)
    assert applied(old, made) == new


@given(lines, st.integers(0, 39))
def test_one_line_more_is_one_line_of_the_diff(old: list[str], place: int) -> None:
    new = [*old[:place], "one more", *old[place:]]
    made = list(diff._diff(old, new, ("a", "b")))[2:]
    assert [line for line in made if line[0] in "+-"] == ["+one more"]


def test_its_time_grows_with_the_length() -> None:
    def seconds(count: int) -> float:
        old = [text for number in range(count) for text in ("{", f"{number}", "}", "[]")]
        new = [text for number in range(count) for text in ("{", f"{number}", "}")]
        best = 9e9
        for _ in range(3):
            began = time.process_time()
            list(diff._diff(old, new, ("a", "b")))
            best = min(best, time.process_time() - began)
        return best

    assert seconds(8000) < 8 * seconds(2000)


def test_two_conversations_side_by_side_fit_where_mitmweb_shows_them() -> None:
    """At 1,400 pixels a request's side has about 105 columns, and mitmweb wraps nothing."""
    shown = diff.side_by_side("─── user ───\n" + "long words " * 40, "─── user ───\n" + "长的一句话，" * 40)
    assert max(map(width, shown.splitlines())) <= 100
    assert all(shown.count(word) == 40 for word in ("long", "words"))
