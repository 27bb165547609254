"""Arguments of past calls: the JSON of an object that keeps the text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.rules.arguments import KEPT_AS, as_object
from hunyuan_fix.wire import json_body
from tests.strategies import json_values


@pytest.mark.parametrize(
    "text", ["{}", '{"path":"a.md"}', ' {"a" : 1.0}\n', '{"a":123456789012345678901}', '{"a":"\\ud83d\\ude00"}']
)
def test_a_good_one_keeps_its_bytes(text: str) -> None:
    assert as_object(text) is text


@pytest.mark.parametrize("given", [None, "", " \n", "null", '""', '"null"', "\ufeff"])
def test_nothing_is_no_arguments(given: Any) -> None:
    assert as_object(given) == "{}"


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"path": NaN}',
        "{'path': 'a.md'}",
        "I would read it",
        '{"path":"a.md",}',
        '{"a":1}{"b":2}',
        '{"path":"a\n.md"}',
        '["a.md"]',
        '[{"path":"a.md"}]',
        "42",
        "true",
        "[" * 5000,
        '{"a":' * 2000 + "1" + "}" * 2000,
        '"only text"',
        '{"a": 1e999999}',
    ],
)
def test_what_is_no_object_is_kept_as_text(text: str) -> None:
    assert json.loads(as_object(text)) == {KEPT_AS: text}


@pytest.mark.parametrize("times", [1, 2, 3, 6])
def test_one_encoded_again_is_decoded(times: int) -> None:
    text = '{"path": "a.md"}'
    for _ in range(times):
        text = json.dumps(text)
    assert as_object(text) == '{"path": "a.md"}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"path": "a.md"}, '{"path":"a.md"}'),
        (["a.md"], '{"arguments":"[\\"a.md\\"]"}'),
        (42, '{"arguments":"42"}'),
        (False, '{"arguments":"false"}'),
    ],
)
def test_values_that_are_no_text(value: Any, text: str) -> None:
    assert as_object(value) == text


def test_a_byte_order_mark_goes() -> None:
    assert as_object('\ufeff{"a":1}') == '{"a":1}'


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ('{"a":"\\ud83d"}', '{"a":"\ufffd"}'),
        ('{"a":"\\ude00 b"}', '{"a":"\ufffd b"}'),
        ('{"a":"\\ud83d\\ude00\\ud83d"}', '{"a":"\\ud83d\\ude00\ufffd"}'),
        ('{"a":"\\\\ud83d \\ud83d"}', '{"a":"\\\\ud83d \ufffd"}'),
        ('{"a":"\ud83d"}', '{"a":"\ufffd"}'),
        ('{"a":"\ud83d\ude00"}', '{"a":"\U0001f600"}'),
        ({"a": "\ud83d"}, '{"a":"\ufffd"}'),
    ],
)
def test_half_a_character_becomes_the_replacement_character(given: Any, kept: str) -> None:
    assert as_object(given) == kept


def test_more_values_than_are_read_are_kept_as_text() -> None:
    text = '{"a":[' + "[]," * 1_000_001 + "[]]}"
    assert json.loads(as_object(text)) == {KEPT_AS: text}


anything = st.one_of(
    st.text(alphabet=st.sampled_from('{}[]"\\u0d83e,:n1 \ud83d\ude00\ufeff'), max_size=30),
    json_values,
    json_values.map(lambda value: json_body.serialise(value).decode()),
    json_values.map(lambda value: json.dumps(json.dumps(value))),
)


@given(anything)
def test_the_result_is_always_an_object_in_strict_json(value: Any) -> None:
    text = as_object(value)
    assert isinstance(json_body.parse(text.encode()), dict)
    assert as_object(text) is text
