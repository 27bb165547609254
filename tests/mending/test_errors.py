"""The patterns of errors.toml: they take time that is linear in the text, and each is needed."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

import pytest

from hunyuan_fix import mending
from tests.looped import each
from tests.mending.refusals import REFUSALS

ROWS = tomllib.loads(resources.files(mending).joinpath("errors.toml").read_text(encoding="utf-8"))["error"]
PATTERNS = [pattern for row in ROWS for pattern in row["patterns"]]
_REPEATS = {_constants.MAX_REPEAT, _constants.MIN_REPEAT}
_MOST = 400


def repeats(tree: Any, inside: bool = False) -> list[str]:
    """What is wrong with the repetitions of a parsed pattern."""
    found = []
    for op, argument in tree:
        if op in _REPEATS:
            _, most, inner = argument
            if most > _MOST:
                found.append(f"repeats up to {most}")
            if inside and most > 1:
                found.append("repeats inside of a repetition")
            found += repeats(inner, inside or most > 1)
        elif op is _constants.SUBPATTERN:
            found += repeats(argument[3], inside)
        elif op is _constants.BRANCH:
            found += [flaw for branch in argument[1] for flaw in repeats(branch, inside)]
        elif op in (_constants.ASSERT, _constants.ASSERT_NOT):
            found += repeats(argument[1], inside)
    return found


@each("pattern", PATTERNS)
def test_each_repetition_has_a_bound(pattern: str):
    assert repeats(_parser.parse(pattern)) == []


def test_the_check_finds_what_it_is_for():
    assert repeats(_parser.parse("a+")) != []
    assert repeats(_parser.parse("(a{1,5}){1,5}")) != []
    assert repeats(_parser.parse("(?:x|a{0,5}b)?")) == []


def test_each_kind_is_seen_in_a_real_error():
    assert {row["kind"] for row in ROWS} == {refusal.kind for refusal in REFUSALS}


@pytest.mark.parametrize("row", ROWS, ids=[row["kind"] for row in ROWS])
def test_each_row_teaches_something(row: dict[str, Any]):
    assert ("reads" in row) != bool({"model", "native"} & row.keys())
    assert row["reason"]
    assert not row["reason"].endswith(".")
    for pattern in row["patterns"]:
        re.compile(pattern)
