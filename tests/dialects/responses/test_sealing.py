"""Sealed text: what comes back is what was sealed, and nothing else is opened."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.dialects.responses import sealing


@pytest.fixture(autouse=True)
def _keys_of_this_process() -> Iterator[None]:
    yield
    sealing.use(())


def _key() -> bytes:
    return os.urandom(sealing.KEY_BYTES)


@given(st.text() | st.just("\ud83d alone") | st.just(""))
def test_what_is_sealed_opens_to_the_same_text(text: str) -> None:
    token = sealing.seal("reasoning", text)
    assert sealing.opened("reasoning", token) == text


def test_a_sealed_text_is_one_word_of_ascii_and_shows_nothing() -> None:
    token = sealing.seal("reasoning", "the secret plan")
    assert token.startswith("hf1.")
    assert token.isascii()
    assert not set(token) & set(" \n+/")
    assert b"secret" not in base64.urlsafe_b64decode(token.removeprefix("hf1.") + "==")


def test_the_same_text_is_sealed_the_same_each_time_and_others_share_nothing() -> None:
    """So that an answer that is given again has the same bytes; and no nonce is used for two texts."""
    assert sealing.seal("reasoning", "again") == sealing.seal("reasoning", "again")
    sealed = [sealing.seal(kind, text) for kind in ("reasoning", "compaction") for text in ("again", "agai", "")]
    assert len({base64.urlsafe_b64decode(one.removeprefix("hf1."))[:12] for one in sealed}) == len(sealed)


def test_another_kind_is_not_opened() -> None:
    assert sealing.opened("compaction", sealing.seal("reasoning", "text")) is None


def test_a_change_of_any_character_is_noticed() -> None:
    token = sealing.seal("reasoning", "do not touch")
    for at in range(len(token)):
        other = "A" if token[at] != "A" else "B"
        changed = token[:at] + other + token[at + 1 :]
        assert sealing.opened("reasoning", changed) is None, at


@pytest.mark.parametrize(
    "token",
    [None, 7, ["hf1."], "", "hf1.", "hf1.AAAA", "hf1.ä", "hf1.A A", "hf1.====", "gAAAAABopaque", "hf1." + "A" * 40],
)
def test_what_is_not_ours_is_not_opened(token: object) -> None:
    assert sealing.opened("reasoning", token) is None


def test_after_a_rotation_the_first_key_seals_and_both_open() -> None:
    old, new = _key(), _key()
    sealing.use([old])
    before = sealing.seal("reasoning", "old")
    sealing.use([new, old])
    assert sealing.opened("reasoning", before) == "old"
    after = sealing.seal("reasoning", "new")
    sealing.use([new])
    assert sealing.opened("reasoning", after) == "new"
    assert sealing.opened("reasoning", before) is None


def test_without_keys_a_process_has_one_of_its_own() -> None:
    sealing.use(())
    token = sealing.seal("reasoning", "mine")
    sealing.use(())
    assert sealing.opened("reasoning", token) is None


def test_a_key_of_another_length_is_refused_and_the_others_stay() -> None:
    token = sealing.seal("reasoning", "kept")
    with pytest.raises(ValueError, match="32 bytes"):
        sealing.use([_key(), b"short"])
    assert sealing.opened("reasoning", token) == "kept"
