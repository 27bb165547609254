"""Values that were left as they are: known again by all that JSON can tell, and few enough to be kept."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.rules.schemas import object_schema
from hunyuan_fix.rules.unchanged import Unchanged

json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)


@given(json_values)
def test_a_value_is_known_again_and_another_is_not(value: object) -> None:
    unchanged = Unchanged()
    key = unchanged.key(value)
    assert key not in unchanged
    unchanged.add(key)
    assert (unchanged.key(copy.deepcopy(value)) in unchanged) == (key is not None)
    assert unchanged.key([value]) not in unchanged


@pytest.mark.parametrize(
    ("one", "other"), [({"a": 1, "b": 2}, {"b": 2, "a": 1}), (1, True), (1, 1.0), (0, None), ("1", 1), ({}, [])]
)
def test_what_json_tells_apart_has_two_keys(one: object, other: object) -> None:
    assert Unchanged.key(one) != Unchanged.key(other)


@pytest.mark.parametrize("value", [1 << 64, "\ud800", {"a": ["\udfff"]}])
def test_what_cannot_be_written_is_never_known(value: object) -> None:
    unchanged = Unchanged()
    unchanged.add(unchanged.key(value))
    assert unchanged.key(value) not in unchanged


def test_the_latest_thousand_are_kept_and_at_most_twice_as_many() -> None:
    unchanged = Unchanged()
    for number in range(5000):
        unchanged.add(unchanged.key(number))
    kept = [number for number in range(5000) if unchanged.key(number) in unchanged]
    assert kept[-Unchanged.MOST :] == list(range(4000, 5000))
    assert len(kept) <= 2 * Unchanged.MOST


@given(st.dictionaries(st.sampled_from(["type", "properties", "required", "enum", "items"]), json_values))
def test_a_schema_seen_twice_gives_the_same_twice(schema: dict[str, object]) -> None:
    first, second = object_schema(copy.deepcopy(schema)), object_schema(copy.deepcopy(schema))
    assert first == second
