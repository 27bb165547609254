"""A masked text has no value in it, and is the one that it was once the values are put back."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hunyuan_fix.masking.masked import CleanTexts, Masking
from hunyuan_fix.masking.placeholders import FORM, Placeholders
from hunyuan_fix.masking.put_back import PutBack
from tests.masking import test_numbers
from tests.wire.test_secret_shapes import FOUND as KEYS
from tests.wire.test_secret_shapes import STAYS as NO_KEYS
from tests.wire.test_secret_shapes import letters

OF = Placeholders().of
BOTH = frozenset(["keys", "ids"])
KEY, PHONE = "sk-" + letters(40), "13812345678"
PARTS = [
    *(text for _, text in KEYS),
    *(text for _, text, _ in test_numbers.FOUND),
    *(*NO_KEYS, *test_numbers.STAYS),
    *(" ", "\n", '"', "\\", "\\n", "：", "Bearer ", "MASKED-KEY-", "MASKED-KEY-ABCDEFGHIJKLMNOP", ".", "7", "x"),
]
texts = some.text() | some.lists(some.sampled_from(PARTS), max_size=12).map("".join)


def masking(what: frozenset[str] = BOTH) -> Masking:
    return Masking(what, lambda kind, value: OF(b"", kind, value), {})


@given(texts)
def test_what_is_put_back_is_what_it_was(text: str) -> None:
    one = masking()
    masked, kinds = one.text(text)
    assert bool(kinds) == (masked != text) == bool(one.values)
    assert PutBack(one.values).text(masked) == text


@given(texts)
def test_a_masked_text_is_masked_no_further(text: str) -> None:
    one = masking()
    masked, _ = one.text(text)
    again, _ = one.text(masked)
    assert PutBack(one.values).text(again) == text
    assert one.text(again)[0] == again


@given(some.lists(texts, max_size=4))
def test_a_longer_history_has_the_same_beginning(history: list[str]) -> None:
    one, other = masking(), masking()
    first = [one.text(text)[0] for text in history]
    assert [other.text(text)[0] for text in [*history, KEY]][: len(history)] == first


@given(texts)
def test_no_value_has_anything_that_json_escapes(text: str) -> None:
    one = masking()
    one.text(text)
    for value in one.values.values():
        assert json.dumps(value, ensure_ascii=False) == f'"{value}"'


@given(texts)
def test_json_stays_json_at_any_depth(text: str) -> None:
    for value in ({"text": text}, [json.dumps({"text": text})], {"a": json.dumps([json.dumps([text])])}):
        for ascii in (True, False):
            one = masking(frozenset(["keys"]))
            written = json.dumps(value, ensure_ascii=ascii)
            masked, _ = one.text(written)
            json.loads(masked)
            assert PutBack(one.values).text(masked) == written


@pytest.mark.parametrize(("name", "text"), KEYS)
@pytest.mark.parametrize("written", [str, json.dumps, lambda text: json.dumps(json.dumps("\n" + text + "\n"))])
def test_each_key_goes(name: str, text: str, written: object) -> None:
    assert callable(written)
    one = masking(frozenset(["keys"]))
    masked, kinds = one.text(written(text))
    assert kinds == ["key"], name
    for value in one.values.values():
        assert value not in masked


@pytest.mark.parametrize(("kind", "text", "number"), test_numbers.FOUND)
def test_numbers_are_masked_under_ids_alone(kind: str, text: str, number: str) -> None:
    assert masking(frozenset(["keys"])).text(text) == (text, [])
    one = masking(frozenset(["ids"]))
    masked, kinds = one.text(text)
    assert kinds == [kind]
    assert list(one.values.values()) == [number]
    assert number not in masked
    assert one.text(KEY) == (KEY, [])


def test_the_lines_of_a_private_key_are_values_each() -> None:
    """So they keep their places: a tool shows them with numbers, JSON has escapes between them."""
    lines = [letters(64)] * 3 + [letters(20) + "=="]
    for between in ("\n", "\\n", "\r\n", "\\\\n", "\n  12→"):
        pem = between.join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----"])
        one = masking(frozenset(["keys"]))
        masked, _ = one.text(pem)
        assert set(one.values.values()) == set(lines)
        assert masked.count(between) == 5
        assert len(FORM.findall(masked)) == 4


def test_a_value_has_the_same_placeholder_wherever_it_stands() -> None:
    one = masking()
    for text in (KEY, f"Authorization: Bearer {KEY}", f"https://x/?key={KEY}&y=1", json.dumps({"k": f"\n{KEY}"})):
        one.text(text)
    assert list(one.values.values()) == [KEY]


def test_data_of_files_is_left_alone() -> None:
    url = f"data:image/png;base64,iVBO/{KEY[3:]}/AKIAABCDEFGH234567QX/+13812345678/4111111111111111"
    assert masking().text(url) == (url, [])
    masked, _ = masking().text(f"{url}) and {KEY}")
    assert masked.startswith(url)
    assert KEY not in masked


def test_what_looks_like_a_placeholder_stays() -> None:
    text = "Bearer MASKED-KEY-ABCDEFGH23456777, MASKED-CARD-ABCDEFGHIJKLMNOP"
    assert masking().text(text) == (text, [])
    assert PutBack({"MASKED-KEY-AAAAAAAAAAAAAAAA": "v"}).text(text) == text


def test_a_value_around_what_looks_like_one_is_masked_whole() -> None:
    one = masking()
    text = f"Bearer MASKED-KEY-ABCDEFGH23456777.{letters(30)}"
    masked, _ = one.text(text)
    assert letters(30) not in masked
    assert PutBack(one.values).text(masked) == text


def test_a_value_that_a_second_look_finds_around_a_placeholder_comes_back_whole() -> None:
    one = masking()
    text = "Bearer " + letters(4096) + "and.more"  # longer than the table takes at once
    masked, _ = one.text(text)
    again, kinds = one.text(masked)
    assert kinds == ["key"]
    assert FORM.fullmatch(again.removeprefix("Bearer "))
    assert PutBack(one.values).text(again) == text


def test_whole_numbers_become_texts() -> None:
    one = masking()
    masked, kinds = one.number(13812345678)
    assert kinds == ["phone"]
    assert PutBack(one.values).text(str(masked)) == "13812345678"
    assert one.number(1700000000000) == (1700000000000, [])


@pytest.mark.parametrize("piece", [f"{KEY} ", "13812345678,", ";base64,AAAA ", "MASKED-KEY-", "Bearer sk-1", PARTS[0]])
def test_time_grows_with_the_text(piece: str) -> None:
    def seconds(size: int) -> float:
        text, tries = piece * (size // len(piece)), []
        for _ in range(3):
            one = masking()
            began = time.process_time()
            one.text(text)
            tries.append(time.process_time() - began)
        return min(tries)

    masking().text("warm")
    assert seconds(200_000) < 4 * seconds(100_000) + 0.02


def test_a_text_that_has_nothing_is_looked_through_once() -> None:
    clean, text = CleanTexts(), "nothing here " * 100
    seen: list[str] = []

    class Looking(Masking):
        def _found(self, text: str) -> list[Any]:
            seen.append(text)
            return super()._found(text)

    def look(what: set[str], text: str) -> tuple[str, list[str]]:
        return Looking(what, lambda kind, value: OF(b"", kind, value), {}, clean).text(text)

    for _ in range(2):
        assert look({"keys"}, text) == (text, [])
        assert look({"keys", "ids"}, text + PHONE)[1] == ["phone"]
        assert look({"keys"}, text + PHONE) == (text + PHONE, [])
    assert seen == [text, text + PHONE, text + PHONE, text + PHONE]


def test_what_looks_like_one_is_noted_and_seen_again_in_a_known_text() -> None:
    looks, clean = "MASKED-ID-ABCDEFGHIJKLMNOP", CleanTexts()
    for text in (f"{looks} {'a' * 300}", f"{looks}{looks}", f"{looks} {KEY}"):
        for _ in range(2):
            one = Masking(BOTH, lambda kind, value: OF(b"", kind, value), {}, clean)
            one.text(text)
            assert one.literal == {looks}
    one = masking()
    again, _ = one.text(KEY)
    one.text(f"{again} {looks[:-1]}")
    assert one.literal == set()  # its own, and half of one
    one.text(looks, is_models=True)
    assert one.literal == set()


def test_not_all_of_very_many_are_noted() -> None:
    one = masking()
    for place in range(3):
        one.text(" ".join(f"MASKED-KEY-{b32(place * 5000 + number)}" for number in range(5000)))
    assert len(one.literal) == 10_000


def b32(number: int) -> str:
    """16 letters for a number."""
    return base64.b32encode(number.to_bytes(10)).decode()
