"""A placeholder is the same for the same value, and tells nobody without the key what it stands for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hunyuan_fix.masking import numbers, placeholders
from hunyuan_fix.masking.placeholders import FORM, IN_BYTES, Placeholders
from hunyuan_fix.wire import secret_shapes

KEYS = (b"a" * 32, b"b" * 32)
KINDS = ("key", "phone", "id", "card")


def under(*keys: bytes) -> Placeholders:
    made = Placeholders()
    made.use(keys)
    return made


@given(some.binary(max_size=40), some.sampled_from(KINDS), some.text(min_size=1))
def test_it_has_its_form_and_is_always_the_same(caller: bytes, kind: str, value: str) -> None:
    one = under(*KEYS).of(caller, kind, value)
    assert FORM.fullmatch(one)
    assert under(KEYS[0]).of(caller, kind, value) == one  # in another process, and once an older key is gone


@pytest.mark.parametrize(
    ("key", "caller", "kind", "value"),
    [(KEYS[1], b"c", "key", "v"), (KEYS[0], b"d", "key", "v"), (KEYS[0], b"c", "id", "v"), (KEYS[0], b"c", "key", "w")],
)
def test_another_key_caller_kind_or_value_has_another(key: bytes, caller: bytes, kind: str, value: str) -> None:
    assert under(key).of(caller, kind, value) != under(KEYS[0]).of(b"c", "key", "v")


def test_what_is_said_can_t_be_cut_in_another_way() -> None:
    assert under(KEYS[0]).of(b"ck", "ey", "v") != under(KEYS[0]).of(b"c", "key", "v")


def test_without_a_file_each_process_has_its_own() -> None:
    one, other = Placeholders(), Placeholders()
    assert one.of(b"", "key", "v") == one.of(b"", "key", "v") != other.of(b"", "key", "v")
    made = one.of(b"", "key", "v")
    one.use(())
    assert one.of(b"", "key", "v") == made


@given(some.text(min_size=1), some.sampled_from(KINDS))
def test_none_looks_like_what_is_masked(value: str, kind: str) -> None:
    """But for what stands behind `Bearer `, which `masked` leaves."""
    made = under(KEYS[0]).of(b"", kind, value)
    for text in (made, f'"{made}"', f"key={made}", f"{made}{made}", f"a {made} 1"):
        assert secret_shapes.find(text) == []
        assert numbers.find(text) == []


@given(some.text(), some.sampled_from(KINDS), some.integers(0, 40))
def test_the_beginning_of_one_is_told_at_any_cut(before: str, kind: str, cut: int) -> None:
    made = under(KEYS[0]).of(b"", kind, "v")
    cut = min(cut, len(made) - 1)
    assert placeholders.begun(before + made[:cut]) >= cut
    if cut:
        assert placeholders.begun("x" + made[:cut]) == cut
        assert IN_BYTES.search(f'{{"content": "x{made[:cut]}"}}'.encode())
    assert placeholders.begun(made) == (1 if made.endswith("M") else 2 if made.endswith("MA") else 0)
