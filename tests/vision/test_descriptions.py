from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import texts
from hunyuan_fix.stores import Chain, Item, Memory
from hunyuan_fix.stores.sqlite import Sqlite
from hunyuan_fix.vision.descriptions import Description, Descriptions, ImageFailure, ImageResult, in_memory
from tests.stores.standing import Ailing, Time


def key(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def below(time: Time) -> Ailing:
    return Ailing(time)


@pytest.fixture
async def chain(below: Ailing, time: Time) -> AsyncIterator[Chain]:
    made = Chain(Memory(10, 10_000, time), [below], time, time.sleep)
    yield made
    await made.aclose()


def texts_of_any_kind() -> st.SearchStrategy[str]:
    surrogates = st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF, categories=["Cs"])
    return st.text(st.characters() | surrogates, min_size=1)


@given(texts_of_any_kind().map(Description) | st.sampled_from(sorted(texts.load("en").image_reasons)).map(ImageFailure))
async def test_a_result_comes_back_as_it_was(result: ImageResult) -> None:
    known = in_memory(10, 1 << 20)
    known.kept.put(key("a"), result)
    assert known.kept.at_hand(key("a")) == result
    assert await known.kept.get_many([key("a"), key("b")]) == {key("a"): result}


async def test_a_language_has_the_reasons_of_the_other() -> None:
    """So that a failure can be read whatever the language."""
    assert texts.load("zh").image_reasons.keys() == texts.load("en").image_reasons.keys()


async def test_what_the_stores_hold(chain: Chain, below: Ailing) -> None:
    known = Descriptions(chain)
    known.kept.put(key("a"), Description("猫"))
    known.kept.put(key("b"), ImageFailure("refused"), 60.0)
    await chain.flush()
    assert sorted(below.held("", 10)) == sorted(
        [
            (f"description:{key('a').hex()}", Item('{"text": "猫"}'.encode())),
            (f"description:{key('b').hex()}", Item(b'{"failure": "refused"}', 60.0)),
        ]
    )


async def test_found_in_memory_and_below_together(chain: Chain, below: Ailing, time: Time) -> None:
    known = Descriptions(chain)
    for name in "ab":
        known.kept.put(key(name), Description(name), 60.0)
    await chain.flush()
    chain.memory.drop(f"description:{key('b').hex()}")
    asked = below.asked
    found = await known.kept.get_many([key(name) for name in "abcab"])
    assert found == {key("a"): Description("a"), key("b"): Description("b")}
    assert below.asked == asked + 2, "each only once, and not for what is at hand"
    assert known.kept.at_hand(key("b")) == Description("b")
    time.passes(60)
    assert await known.kept.get_many([key("a"), key("b")]) == {}


async def test_what_memory_had_is_counted_as_a_hit(chain: Chain) -> None:
    known = Descriptions(chain)
    known.kept.put(key("a"), Description("a"))
    await known.kept.get_many([key("a"), key("b")])
    memory, below = chain.counts()
    assert (memory.hits, memory.misses) == (1, 1)
    assert (below.hits, below.misses) == (0, 1)


async def test_a_slow_store_delays_but_once(chain: Chain, below: Ailing) -> None:
    known = Descriptions(chain)
    below.hangs = asyncio.Event()
    looking = asyncio.create_task(known.kept.get_many([key(str(number)) for number in range(50)]))
    while below.asked < 50:
        await asyncio.sleep(0)
    below.hangs.set()
    assert await looking == {}


JUNK = [b"", b"{", b"null", b"[]", b"5", b'"text"', b"\xff\xfe", b"[" * 100_000]
JUNK += [b'{"text": 5}', b'{"text": ""}', b'{"failure": "of a newer version"}', b'{"other": "x"}']


@pytest.mark.parametrize("value", JUNK)
async def test_what_others_wrote_there_is_not_believed(chain: Chain, value: bytes) -> None:
    chain.put(f"description:{key('a').hex()}", value)
    known = Descriptions(chain)
    assert known.kept.at_hand(key("a")) is None
    assert await known.kept.get_many([key("a")]) == {}
    assert known.listing() in ([f"{key('a').hex()[:12]}  [unreadable]"], [])


async def test_listings(chain: Chain, below: Ailing) -> None:
    known = Descriptions(chain)
    known.kept.put(key("a"), Description("a" * 100))
    known.kept.put(key("b"), ImageFailure("refused"))
    chain.put("other:1", b"x")
    await chain.flush()
    a, b = key("a").hex()[:12], key("b").hex()[:12]
    assert known.listing() == [f"{b}  [refused]", f"{a}  100 characters: {'a' * 60!r}"]
    assert await known.listing_below() == {"ailing": [f"{b}  [refused]", f"{a}  100 characters"]}


async def test_cleared_everywhere(chain: Chain, below: Ailing, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "hunyuan_fix")
    known = Descriptions(chain)
    for name in "abc":
        known.kept.put(key(name), Description(name))
    chain.put("other:1", b"x")
    await chain.flush()
    chain.memory.drop(f"description:{key('c').hex()}")
    assert known.clear() == 2
    await chain.flush()
    assert below.held("", 10) == [("other:1", Item(b"x"))]
    assert await known.kept.get_many([key(name) for name in "abc"]) == {}
    assert "Store ailing: 3 entries forgotten." in caplog.messages


async def test_resize_bounds_the_memory_only(chain: Chain, below: Ailing) -> None:
    known = Descriptions(chain)
    for name in "abc":
        known.kept.put(key(name), Description(name))
    await chain.flush()
    known.resize(1, 10_000)
    assert [known.kept.at_hand(key(name)) is not None for name in "abc"] == [False, False, True]
    assert len(await known.kept.get_many([key(name) for name in "abc"])) == 3


async def test_paid_once_for_a_restart(tmp_path: Path) -> None:
    for found in ({}, {key("a"): Description("a cat")}):
        chain = Chain(Memory(10, 10_000), [Sqlite(tmp_path / "store", 1 << 20)])
        known = Descriptions(chain)
        assert await known.kept.get_many([key("a")]) == found
        known.kept.put(key("a"), Description("a cat"))
        await chain.aclose()
