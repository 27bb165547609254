from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.answers import arguments
from hunyuan_fix.answers.arguments import ArgumentsText
from tests.answers.streamed import cut

TEXTS = st.lists(
    st.sampled_from(["{", "}", "[", "]", '"', "\\", "\\\\", '\\"', " ", "\n", "a", "字", ":1", "x" * 3000]), max_size=12
).map("".join)
OBJECTS = st.dictionaries(st.text(max_size=5), st.text() | st.lists(st.text('{}[]"\\ ', max_size=9)) | st.none())


def fed(*pieces: str) -> ArgumentsText:
    text = ArgumentsText()
    for piece in pieces:
        text.feed(piece)
    return text


@given(TEXTS, st.lists(st.integers(0, 9000), max_size=6))
def test_pieces_are_as_the_whole(text: str, cuts: list[int]) -> None:
    pieces = [piece.decode("utf-32-le") for piece in cut(text.encode("utf-32-le"), [4 * place for place in cuts])]
    whole, joined = fed(text), fed("", *(part for piece in pieces for part in (piece, "")))
    assert (joined.begun, joined.complete) == (whole.begun, whole.complete)
    for other in (text, text + "x", text[1:], "x" + text):
        assert joined.equals(other) == whole.equals(other) == (other == text)
        assert joined.equals(text)


@given(OBJECTS, st.booleans(), st.text(" \n\t", max_size=3), st.data())
def test_one_json_object_is_complete_and_nothing_else_is(
    value: object, ascii_only: bool, blank: str, data: st.DataObject
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert fed(*(blank + text + blank)).complete
    assert not fed(*text[: data.draw(st.integers(0, len(text) - 1))]).complete
    assert not fed(blank + text, blank, "}").complete
    assert not fed(text, text).complete
    assert not fed("1" + text).complete


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_white_space_is_no_beginning(text: str) -> None:
    assert not fed(text).begun
    assert fed(text, "1").begun


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), ({}, ""), ("{", "{"), ({"a": "字"}, '{"a":"字"}'), ([], "[]"), (0, "0"), (False, "false")],
)
def test_arguments_are_text(value: object, text: str) -> None:
    assert arguments.text_of(value) == text
