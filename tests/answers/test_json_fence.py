from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hunyuan_fix.answers.json_fence import JsonFence, take_off

MARKS = st.sampled_from(["```", "`", "json", "JSON", "\n", "\r\n", " ", "{}", "x", "\t"])
TEXT = st.lists(MARKS, max_size=10).map("".join)
BODY = st.lists(st.sampled_from(['{"a":1}', "\n", "\r\n", "  ", "`", "图"]), min_size=1, max_size=8).map("".join)


def fed(text: str, cuts: Sequence[int] = ()) -> tuple[str, JsonFence]:
    marks = sorted({min(mark, len(text)) for mark in cuts} | {0, len(text)})
    fence = JsonFence()
    pieces = [fence.feed(text[a:b]) for a, b in pairwise(marks)]
    return "".join([*pieces, fence.end("stop")]), fence


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ('```json\n{"a":1}\n```', '{"a":1}'),
        ('```\n{"a":1}\n```\n', '{"a":1}'),
        ("\n ```JSON \r\n[1,\r\n2]\r\n  ```  \n", "\n [1,\r\n2]"),
        ('```json\n{"md":"```py\\n```"}\n```', '{"md":"```py\\n```"}'),
    ],
)
def test_a_fence_around_everything_is_taken_off(text: str, bare: str) -> None:
    assert take_off(text) == bare
    assert fed(text)[0] == bare


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "```",
        "```json",
        '```json {"a":1}```',
        "```python\n{}\n```",
        "see:\n```json\n{}\n```",
    ],
)
def test_what_does_not_start_with_a_json_fence_stays(text: str) -> None:
    assert take_off(text) == text
    assert fed(text)[0] == text
    assert not fed(text)[1].changed


@pytest.mark.parametrize(
    "text", ["```json\n{}\n```\nHope it helps", "```json\n{}\n```\n```json\n{}\n```", '```json\n{"a": ']
)
def test_a_fence_that_is_not_the_whole_text(text: str) -> None:
    assert take_off(text) == text
    # A stream has given out the inside by then: only the opening line is missing.
    assert fed(text)[0] == text.removeprefix("```json\n")


@given(BODY, st.sampled_from(["```json\n", "```\r\n", " \n```JSON \n"]), st.lists(st.integers(0, 80)))
def test_pieces_lose_the_fence_like_the_whole(body: str, opening: str, cuts: list[int]) -> None:
    assume(not re.search(r"\n[ \t]*```", body))  # a fence inside would end the block before its time
    text = f"{opening}{body}\n``` \n"
    assert fed(text, cuts)[0] == take_off(text) != text


@given(TEXT, st.lists(st.integers(0, 60)))
def test_the_cuts_do_not_matter(text: str, cuts: list[int]) -> None:
    assert fed(text, cuts)[0] == fed(text)[0]


@given(TEXT, st.lists(st.integers(0, 60)))
def test_nothing_but_fence_lines_is_ever_lost(text: str, cuts: list[int]) -> None:
    bare, fence = fed(text, cuts)
    assert re.sub(r"json|[`\s]", "", bare, flags=re.I) == re.sub(r"json|[`\s]", "", text, flags=re.I)
    assert text.count("`") - bare.count("`") in {0, 3, 6}
    if not fence.changed:
        assert bare == text
