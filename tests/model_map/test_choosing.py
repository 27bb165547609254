"""The first row that fits a request counts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.model_map.choosing import Asked, chosen
from hunyuan_fix.model_map.reading import rows


def number(*whens: Any, **asked: Any) -> int:
    table = rows(json.dumps([{"when": when, "model": f"m{place}"} for place, when in enumerate(whens)]))
    row = chosen(table, Asked(**asked)).row
    return row.number if row else 0


@pytest.mark.parametrize("condition", ["client", "program", "path", "tag"])
def test_each_condition_counts(condition: str) -> None:
    when = {condition: "claude-code"}
    assert number(when, **{condition: "claude-code"}) == 1
    assert number(when, **{condition: "claude-cod"}) == 0
    assert number(when) == 0


def test_all_conditions_of_a_row_and_any_of_its_patterns() -> None:
    when = {"client": ["alice", "b*"], "tag": "code?"}
    assert number(when, client="bob", tag="code1") == 1
    assert number(when, client="bob", tag="code") == 0
    assert number(when, client="carol", tag="code1") == 0


def test_the_first_row_counts_and_one_without_conditions_takes_all() -> None:
    assert number({"tag": "a"}, {"tag": "*"}, {}, tag="a") == 1
    assert number({"tag": "a"}, {"tag": "*"}, {}, tag="b") == 2
    assert number({"tag": "a"}, {"tag": "*"}, {}) == 3


def test_a_star_wants_something_to_be_said() -> None:
    assert number({"client": "*"}) == 0
    assert number({"client": "*"}, client="x") == 1


def test_a_model_is_found_by_its_name_with_and_without_the_mark_of_the_window() -> None:
    assert number({"model": "hy3"}, model=("hy3[1m]", "hy3")) == 1
    assert number({"model": "hy3[1m]"}, model=("hy3[1m]", "hy3")) == 1
    assert number({"model": "hy3[1m]"}, model=("hy31",)) == 0, "brackets are no pattern"
    assert number({"model": "HY3"}, model=("hy3",)) == 0
    assert number({"model": "*"}, model=()) == 0


def test_embeddings_have_to_be_named() -> None:
    assert number({}, kind="embeddings") == 0
    assert number({"model": "*"}, kind="embeddings", model=("e",)) == 0
    assert number({}, {"kind": ["helper", "embeddings"]}, kind="embeddings") == 2
    assert number({"kind": "embeddings"}, kind="main") == 0


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_pattern_meets_any_text(pattern: str, text: str) -> None:
    if pattern.strip():
        assert number({"client": pattern}, client=text) in (0, 1)


def test_a_hostile_text_takes_no_time() -> None:
    assert number({"client": "*a*a*a*a*a*a*a*a*a*b"}, client="a" * 5000) == 0
