"""Tables as TOML: what is read back is what was written."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.cli.doctor import toml_text

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
VALUES = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
TABLES = st.recursive(
    st.dictionaries(TEXTS, VALUES | st.lists(VALUES, max_size=3), max_size=4),
    lambda inner: st.dictionaries(TEXTS, VALUES | inner, max_size=4),
    max_leaves=12,
)


@given(TABLES)
def test_what_is_read_back_is_what_was_written(table: dict[str, Any]) -> None:
    assert tomllib.loads(toml_text.dumps(table)) == table


def test_it_reads_like_a_file_that_a_person_wrote() -> None:
    table = {"session_key": "", "models": {"kimi-k2.6": {"replay": "required", "thinking": {"efforts": ["low"]}}}}
    assert toml_text.dumps(table) == (
        'session_key = ""\n\n[models."kimi-k2.6"]\nreplay = "required"\n\n[models."kimi-k2.6".thinking]\n'
        'efforts = ["low"]\n'
    )


def test_other_values_are_no_toml() -> None:
    with pytest.raises(TypeError, match="NoneType"):
        toml_text.dumps({"a": None})
