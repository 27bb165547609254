"""Tokens in every spelling: found wherever they stand, and nothing else is touched."""

from __future__ import annotations

import base64
import json
import random
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.access.client_tokens import digest_of
from hunyuan_fix.access.token_search import MARK, RedactedStream, TokenSearch

TOKEN = "hf-" + "Ab_9-" * 8 + "xyz"
SEARCH = TokenSearch(frozenset([digest_of(TOKEN)]))
STRANGE = "hf-" + "Ab_9-" * 8 + "xyQ"


def percent(text: str, times: int, chosen: Callable[[int], bool]) -> str:
    for _ in range(times):
        text = "".join(f"%{ord(letter):02x}" if chosen(at) else quote(letter) for at, letter in enumerate(text))
    return text


def escaped(text: str, chosen: Callable[[int], bool], slashes: int) -> str:
    return "".join("\\" * slashes + f"u00{ord(letter):02X}" if chosen(at) else letter for at, letter in enumerate(text))


some = st.randoms(use_true_random=False).map(lambda chance: lambda _at: chance.random() < 0.4)
plain_spellings = st.one_of(
    st.just(TOKEN),
    st.builds(lambda times, chosen: percent(TOKEN, times, chosen), st.integers(1, 2), some),
    st.builds(lambda chosen, slashes: escaped(TOKEN, chosen, slashes), some, st.sampled_from([1, 2, 4])),
).map(str.encode)
surroundings = st.binary(max_size=40)


def in_base64(before: bytes, after: bytes, *, safe: bool, padded: bool) -> bytes:
    encode = base64.urlsafe_b64encode if safe else base64.b64encode
    encoded = encode(before + TOKEN.encode() + after)
    return encoded if padded else encoded.rstrip(b"=")


@given(surroundings, plain_spellings, surroundings)
def test_every_spelling_is_replaced_and_the_rest_stays(before: bytes, token: bytes, after: bytes):
    before = before.rstrip(b"\\")  # before an escape, it would belong to it
    redacted = SEARCH.redacted(before + token + after)
    assert redacted == before + MARK.ljust(len(token), b"-") + after
    assert SEARCH.redacted(redacted) is redacted


@given(surroundings, surroundings, st.booleans(), st.booleans(), surroundings)
def test_base64_at_any_alignment(before: bytes, after: bytes, safe: bool, padded: bool, beside: bytes):
    encoded = in_base64(before, after, safe=safe, padded=padded)
    redacted = SEARCH.redacted(b'{"a": "' + encoded + b'"}' + beside)
    assert redacted.startswith(b'{"a": "')
    assert redacted.endswith(b'"}' + beside)
    inside = redacted[7 : 7 + len(encoded)]
    decoded = base64.urlsafe_b64decode(inside.replace(b"+", b"-").replace(b"/", b"_") + b"==")
    assert decoded == before + MARK + after
    assert SEARCH.redacted(redacted) is redacted


@pytest.mark.parametrize("beside", ["", "a", "9", "_", "-", "hf-", "hf-hf-", "hf"])
def test_glued_to_anything(beside: str):
    for text in (beside + TOKEN, TOKEN + beside, beside + TOKEN + beside, TOKEN + TOKEN):
        assert TOKEN.encode() not in SEARCH.redacted(text.encode())


@given(st.one_of(st.binary(), st.text("hf-%2d68u0\\aGYt ").map(str.encode)))
def test_what_is_no_token_stays_the_same_object(data: bytes):
    assert SEARCH.redacted(data) is data


@pytest.mark.parametrize("text", ["pip install from hf-mirror.com", STRANGE, TOKEN[:-1], TOKEN.upper(), "hf-" * 99])
def test_what_only_looks_like_one_stays(text: str):
    for data in (text.encode(), base64.b64encode(text.encode()), quote(text).encode()):
        assert SEARCH.redacted(data) is data


def test_without_tokens_nothing_is_looked_at():
    assert not TokenSearch()
    assert TokenSearch().redacted(TOKEN.encode()) == TOKEN.encode()


def test_a_json_body_stays_the_same_json_but_for_the_token():
    body = {"messages": [{"role": "user", "content": f"my key is {TOKEN}, from hf-mirror"}], "n": 1.0}
    for data in (json.dumps(body), json.dumps(body).replace("-", "\\u002d"), json.dumps({"inner": json.dumps(body)})):
        redacted = SEARCH.redacted(data.encode())
        assert len(redacted) == len(data)
        read = json.loads(redacted)
        said = str(read)
        assert TOKEN not in said
        assert "hf-mirror" in said


@given(st.integers(0, 700), st.integers(0, 900), plain_spellings, st.integers(1, 97))
def test_a_stream_cut_anywhere(before: int, after: int, token: bytes, size: int):
    data = b"x" * before + token + b"y" * after
    stream = RedactedStream(SEARCH)
    sent = [chunk for at in range(0, len(data), size) for chunk in stream(data[at : at + size])]
    sent += stream(b"")
    assert b"".join(sent) == SEARCH.redacted(data)
    assert all(sent)
    assert RedactedStream(SEARCH)(b"") == []


HOSTILE = {
    "prefixes": lambda n: b"hf-" * n,
    "candidates": lambda n: b"".join(b"hf-%d" % (at % 10) for at in range(n)),
    "percent": lambda n: b"%25" * n,
    "percent prefixes": lambda n: b"%68%66%2d" * n,
    "backslashes": lambda n: b"u00" + b"\\" * n,
    "escapes": lambda n: b"\\\\\\\\\\\\\\\\u0068" * n,
    "base64 needles": lambda n: b"aGYt" * n,
    "base64 of prefixes": lambda n: base64.b64encode(b"xhf-" * n),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bodies_cost_in_proportion(name: str):
    def cost(n: int) -> float:
        data = HOSTILE[name](n)
        spent = []
        for _ in range(3):
            started = time.thread_time()
            SEARCH.redacted(data)
            spent.append(time.thread_time() - started)
        return min(spent)

    assert cost(40_000) < 8 * cost(10_000) + 0.001


def test_images_are_not_slow_to_look_through():
    """A needle is three characters: in random base64 it comes by chance, and then is no token."""
    data = base64.b64encode(random.Random(1).randbytes(300_000))
    assert SEARCH.redacted(data) is data
