from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import suppress

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.wire import json_body
from hunyuan_fix.wire.json_body import MAX_HALVES, MAX_VALUES, InvalidJson, Read, TooManyValues, parse, serialise

TEXT = st.text()
HALVES = st.text(st.characters(codec=None) | st.sampled_from('\ud83d\ude00\\"u'))
"""Lone surrogates, and pairs of them, among other characters."""
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


def meant(text: str) -> str:
    """`text` with every pair of surrogates as its character, and every other surrogate as U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


@given(st.dictionaries(HALVES, HALVES, max_size=3), st.booleans())
def test_halves_of_characters_become_what_was_meant(value: dict[str, str], ascii_only: bool) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    read = json_body.read(data)
    assert list(read.value.items()) == list({meant(key): meant(text) for key, text in value.items()}.items())
    assert orjson.loads(read.data) == read.value
    assert bool(read.fixes) == (read.data != data)
    assert json_body.read(read.data) == Read(read.value, read.data)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (rb'["x\ud83dy"]', ["x\ufffdy"]),
        (rb'["\\ud83d","\uDE00"]', ["\\ud83d", "\ufffd"]),
        (rb'["\\\ud83d"]', ["\\\ufffd"]),
        (b'["\xed\xa0\xbd\xed\xb8\x80"]', ["\U0001f600"]),
        (b'["\\ud83d\xed\xb8\x80"]', ["\U0001f600"]),
        (b'["\xed\xa0\xbd\\ude00"]', ["\U0001f600"]),
        (b'["\xed\xa0\x80\xff"]', ["\ufffd\ufffd"]),
        (b'["\xff"]', ["\ufffd"]),
        (b'["\\u0000\xff"]', ["\x00\ufffd"]),
        (b"\xef\xbb\xbf{}", {}),
    ],
)
def test_what_a_strict_reader_would_refuse_is_mended(data: bytes, value: object) -> None:
    read = json_body.read(data)
    assert read.value == orjson.loads(read.data) == value
    assert read.fixes


@given(VALUES)
def test_a_good_text_stays_byte_for_byte(value: object) -> None:
    data = json.dumps(value, indent=1).encode()
    assert json_body.read(data) == Read(value, data)


def test_the_number_of_values_is_bounded() -> None:
    most = b"[" + b"0," * (MAX_VALUES - 1) + b"0]"
    assert len(parse(most)) == MAX_VALUES
    for more in (b"[" + most + b"]", b"[" * (MAX_VALUES + 1), b'{"a":' + most):
        with pytest.raises(TooManyValues, match=str(MAX_VALUES)):
            parse(more)


@pytest.mark.parametrize("text", [b", : [ {", rb"\",", rb"\\\"[", rb"\\,"], ids=repr)
def test_what_stands_in_a_string_is_no_value(text: bytes) -> None:
    data = b'["' + text * MAX_VALUES + b'"]'
    assert parse(data) == [json.loads(b'"' + text + b'"') * MAX_VALUES]
    with pytest.raises(TooManyValues):
        parse(b'["' + text * MAX_VALUES + b'"' + b",0" * MAX_VALUES + b"]")


@pytest.mark.parametrize("half", [rb"\ud800", b"\xed\xa0\x80"])
def test_the_number_of_halves_is_bounded(half: bytes) -> None:
    assert parse(b'["' + half * MAX_HALVES + b'"]') == ["\ufffd" * MAX_HALVES]
    with pytest.raises(TooManyValues, match=str(MAX_HALVES)):
        parse(b'["' + half * (MAX_HALVES + 1) + b'"]')


@pytest.mark.parametrize("digits", [19, 20, 300, 400, 4000])
@pytest.mark.parametrize("padding", [0, json_body._STEP - 10])
def test_long_integers_are_exact_wherever_they_stand(digits: int, padding: int) -> None:
    number = int("9" * digits)
    assert parse(f'["{"x" * padding}",{number},-{number}]'.encode())[1:] == [number, -number]


@pytest.mark.parametrize(
    "of",
    [
        lambda n: b"[" + b"[]," * (n // 4) + b"1e300]",
        lambda n: b"[" + b"{}," * (n // 4) + b"18446744073709551616]",
        lambda n: b'["' + b"1" * (n * 9) + b'"]',
        lambda n: b'["' + rb"\"," * (n * 9) + b'"]',
        lambda n: b'["' + rb"\ud800" * (n // 10) + b'"]',
        lambda n: b"\\" * n * 9,
        lambda n: b"\xff" * n * 9,
        lambda n: b"[" * n,
    ],
    ids=["one large float", "one large integer", "digits", "quotes", "halves", "backslashes", "no UTF-8", "deep"],
)
def test_time_grows_with_the_size_alone(of: Callable[[int], bytes]) -> None:
    def cost(data: bytes) -> float:
        def once() -> float:
            started = time.thread_time()
            with suppress(InvalidJson):
                parse(data)
            return time.thread_time() - started

        return min(once() for _ in range(7))

    assert cost(of(400_000)) < 8 * cost(of(100_000)) + 0.005


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
    assert serialise(parse(deepest)) == deepest.replace(rb"\ud800", "\ufffd".encode())
    with pytest.raises(InvalidJson, match="deep"):
        parse(nested(json_body.MAX_DEPTH + 1))


def test_nothing_is_written_that_json_has_no_form_for() -> None:
    with pytest.raises(TypeError):
        serialise({"a": object()})


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'"{}"', b"null", b"NaN", b"[" * 5000])
def test_only_an_object_is_parsed_as_one(data: bytes) -> None:
    assert json_body.parse_object(data) is None


def test_an_object_is_parsed() -> None:
    assert json_body.parse_object(b'\xef\xbb\xbf{"a": [1]}') == {"a": [1]}


@pytest.mark.parametrize("before", [b"", b"[0,", b'["long text",', b'{"a":0,"b":'])
@pytest.mark.parametrize("digits", range(15, 24))
def test_a_long_integer_is_found_wherever_it_stands(before: bytes, digits: int) -> None:
    """Every sixth byte is looked at first: wherever the digits begin, some of them are among these."""
    closing = {b"[": b"]", b"{": b"}", b"": b""}[before[:1]]
    for padding in range(7):
        number = int("9" * digits)
        data = b" " * padding + before + str(number).encode() + closing
        found = json_body.parse(data)
        value = found if not before else found[-1] if isinstance(found, list) else found["b"]
        assert (value, type(value)) == (number, int)


def test_structure_counts_across_steps() -> None:
    data = b"[" + b'{"a":1},' * 140_000 + b"0]"
    assert len(data) > json_body._STEP
    counted = sum(data.count(mark) for mark in (b"[", b"{", b",", b":"))
    assert counted <= json_body.read(data).structure < counted + 20


@pytest.mark.parametrize("values", [1, 100, 1000, 100_000])
@pytest.mark.parametrize("text", [0, 100_000, 2_000_000])
def test_structure_is_at_least_the_number_of_values(values: int, text: int) -> None:
    """However it is known: by looking at the values, or at the bytes."""
    data = json.dumps([{"a": "x" * text}, *[{"b": [None, 1.5]}] * (values // 4)]).encode()
    assert values <= json_body.read(data).structure <= 3 * values + 10


@pytest.mark.parametrize("number", [2**63, 2**64, -(2**64), 10**30])
def test_a_long_integer_among_few_values_is_exact(number: int) -> None:
    data = json.dumps({"text": "x" * 50_000, "numbers": [1, {"n": number}, 1e300, -1.5e19]}).encode()
    found = parse(data)["numbers"]
    assert found == [1, {"n": number}, 1e300, -1.5e19]
    assert [type(value) for value in (found[1]["n"], *found[2:])] == [int, float, float]


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.floats(-9, 9), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=3), inner, max_size=4)),
    max_leaves=20,
)


@given(JSON_VALUES)
def test_structure_is_twice_the_number_of_few_values(value: object) -> None:
    def values(of: object) -> int:
        inside = of.values() if isinstance(of, dict) else of if isinstance(of, list) else ()
        return 1 + sum(map(values, inside))

    assert json_body.read(json.dumps(value).encode()).structure == 2 * values(value)
