from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addon.wire import json_body
from addon.wire.json_body import InvalidJson, parse, serialise

# Lone surrogates included; two that make a pair are one character in JSON.
TEXT = st.text(st.characters(codec=None)).filter(lambda text: not re.search("[\ud800-\udbff][\udc00-\udfff]", text))
NUMBERS = st.integers() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def typed(value: object) -> str:
    """A value with its types, so that 1, 1.0 and True differ."""
    return repr(value)


@given(VALUES)
def test_what_is_written_is_read_back(value: object) -> None:
    assert typed(parse(serialise(value))) == typed(value)


@given(VALUES)
def test_reads_what_the_standard_library_reads(value: object) -> None:
    assert typed(parse(json.dumps(value).encode())) == typed(value)


@given(VALUES)
def test_writes_one_line(value: object) -> None:
    assert not re.search(rb"[\r\n]", serialise(value))


@pytest.mark.parametrize(
    "text",
    ["99999999999999999999", "-9223372036854775809", "18446744073709551616", "18446744073709551615", "-1", "1e20"],
)
def test_numbers_keep_their_value_and_kind(text: str) -> None:
    assert typed(parse(f'{{"a": [{text}]}}'.encode())) == typed({"a": [json.loads(text)]})


def test_a_lone_surrogate_survives() -> None:
    assert serialise(parse(rb'{"a":"x\ud800y"}')) == rb'{"a":"x\ud800y"}'


def test_big_integers_leave_other_text_in_utf8() -> None:
    assert serialise({"图": 2**70}) == f'{{"图":{2**70}}}'.encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b"1e400",
        b"-1e400",
        b'["\\ud800", 1e999]',
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        b"1" * 5000,
        b'{"a": "\n"}',
        b"[" * 200_000,
    ],
    ids=lambda data: repr(data[:20]),
)
def test_what_is_not_json_is_refused_without_quoting_it(data: bytes) -> None:
    with pytest.raises(InvalidJson) as caught:
        parse(data)
    assert str(caught.value) in {"not JSON", "nested too deep"}
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("leaf", ["1", '"\\ud800"', "99999999999999999999"])
def test_nesting_is_bounded_alike_however_it_is_read(leaf: str) -> None:
    def nested(depth: int) -> bytes:
        return ("[" * depth + leaf + "]" * depth).encode()

    deepest = nested(json_body.MAX_DEPTH)
    assert serialise(parse(deepest)) == deepest
    with pytest.raises(InvalidJson, match="deep"):
        parse(nested(json_body.MAX_DEPTH + 1))


def test_nothing_is_written_that_json_has_no_form_for() -> None:
    with pytest.raises(TypeError):
        serialise({"a": object()})
