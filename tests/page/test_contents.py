"""What exchanges said: kept as it was, within bounds whatever comes, and dropped when nobody wants it."""

from __future__ import annotations

import asyncio
import gzip
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as some

from hunyuan_fix.config.option import parse
from hunyuan_fix.config.page_options import PageSettings
from hunyuan_fix.observe.admin.settings import AdminSettings
from hunyuan_fix.page import contents as kept_contents
from hunyuan_fix.page import packing
from hunyuan_fix.page.contents import Contents
from hunyuan_fix.page.packing import Coded, Raw
from hunyuan_fix.workers import Workers
from tests.waiting import until

PLAIN: dict[str, Any] = {"model": "hy3", "notes": {}, "changes": [["roles", "/messages/0", "why"]]}
MEGABYTE = 1 << 20


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers()
    yield made
    made.close()


def contents(workers: Workers, size: str = "64m", **options: str) -> Contents:
    made = Contents(workers)
    configure(made, page_bytes=size, **options)
    return made


def configure(made: Contents, **options: str) -> None:
    values = {f"hunyuan_{name}": value for name, value in options.items()}
    values["hunyuan_trust_loopback"] = values.get("hunyuan_trust_loopback", "true") == "true"  # type: ignore[assignment]
    of_page = {name: value for name, value in values.items() if name.startswith("hunyuan_page")}
    made.configure(
        parse(PageSettings, of_page), parse(AdminSettings, {n: v for n, v in values.items() if n not in of_page})
    )


def said(id: str, body: bytes = b'{"model":"hy3"}', **more: Any) -> Raw:
    came = Coded(body)
    return Raw(**{"id": id, "exchange": PLAIN, "came": came, "sent": came, "answer": Coded(b'{"id":1}'), **more})


def noise(seed: int, size: int) -> bytes:
    """Bytes that can't be compressed."""
    return random.Random(seed).randbytes(size)


def text(seed: int, words: int) -> bytes:
    made = random.Random(seed)
    return " ".join(f"w{made.randrange(3000)}" for _ in range(words)).encode()


async def packed(made: Contents, *ids: str) -> None:
    await until(lambda: all(isinstance(made._kept.get(id), packing.Packed | None) for id in ids or made._kept))


bodies = some.none() | some.binary(max_size=200) | some.binary(max_size=50).map(lambda part: part * 2000)


@given(came=bodies, sent=bodies, answer=bodies, is_same=some.booleans(), session=some.text(max_size=5))
def test_what_is_kept_is_what_was_said(
    came: bytes | None, sent: bytes | None, answer: bytes | None, is_same: bool, session: str
) -> None:
    came_coded, sent_coded, answered = [
        None if body is None else Coded(body) for body in (came, came if is_same else sent, answer)
    ]
    raw = Raw(
        PLAIN,
        id="a",
        came=came_coded,
        sent=sent_coded,
        answer=answered,
        streamed=is_same,
        url="https://a/é?b",
        headers=(("user-agent", "é"),),
        status=200,
        at=12.5,
        before_key="x-api-key: ",
        session=session,
    )
    before = packing.pack(raw, MEGABYTE)
    for made in (
        before,
        packing.pack(raw, MEGABYTE, in_thread=False),
        packing.pack(raw, MEGABYTE, before),
        packing.pack(raw, MEGABYTE, packing.pack(said("b", b"other" * 99), MEGABYTE)),
    ):
        found = packing.unpacked(made)
        assert found == raw.content(MEGABYTE)
        assert (found.came, found.answer) == (came, answer)
        assert found.sent == (came if is_same else sent)
        assert (found.sent is found.came) == (found.sent == found.came)
    assert packing.unpacked(before).headers == (("user-agent", "é"),)


async def test_the_newest_are_first_and_the_oldest_go_first(workers: Workers) -> None:
    made = contents(workers, "1m")
    for number in range(40):
        made.keep(said(str(number), noise(number, 30_000)))
    kept = list(made.ids())
    assert kept == [str(number) for number in range(39, 39 - len(kept), -1)]
    assert 30 <= len(kept) < 40
    assert made.size <= MEGABYTE
    assert made.get("39") is not None and made.get("0") is None
    assert (made.why_not("39"), made.why_not("0"), made.why_not("never")) == ("", "gone", "gone")


async def test_a_replayed_flow_is_kept_once_and_is_the_newest(workers: Workers) -> None:
    made = contents(workers)
    for id, body in (("a", b"1"), ("b", b"2"), ("a", b"3")):
        made.keep(said(id, body))
    assert list(made.ids()) == ["a", "b"]
    found = made.get("a")
    assert found is not None and found.came == b"3"
    one = contents(workers)
    one.keep(said("b", b"2"))
    one.keep(said("a", b"3"))
    assert made.size == one.size


@settings(max_examples=25)
@given(
    sizes=some.lists(
        some.tuples(some.sampled_from([10, 20_000, 40_000, 300_000, 700_000, 2_000_000]), some.integers(0, 3)),
        max_size=12,
    ),
    most=some.sampled_from(["1k", "300k", "1m", "3m"]),
)
async def test_the_bound_holds_whatever_comes(sizes: list[tuple[int, int]], most: str) -> None:
    workers = Workers()
    try:
        made = contents(workers, most)
        bound = parse(PageSettings, {"hunyuan_page_bytes": most}).page_bytes
        for number, (size, session) in enumerate(sizes):
            made.keep(said(str(number), noise(session, size // 2) + noise(number, size // 2), session=str(session)))
            assert made.size <= bound and made._waiting <= bound
        await packed(made)
        assert made.size <= bound
        assert made._waiting == 0
        seen = {
            id(one): one
            for entry in made._kept.values()
            if isinstance(entry, packing.Packed)
            for one in (entry, entry.shared)
            if one
        }
        assert made.size == sum(one.size for one in seen.values())
        for each in made.ids():
            assert made.get(each) is not None
        configure(made, page_content="false")
        assert (made.size, made._waiting, len(made)) == (0, 0, 0)
    finally:
        workers.close()


async def test_one_that_is_too_large_is_kept_without_its_bodies_and_says_so(workers: Workers) -> None:
    made = contents(workers, "2m")
    made.keep(said("before"))
    for id, size in (("unpackable", 1_500_000), ("larger than all", 5_000_000)):
        made.keep(said(id, noise(1, size)))
        await packed(made, id)
        found = made.get(id)
        assert found is not None
        assert (found.came, found.sent, found.exchange, found.why) == (None, None, PLAIN, "too_large")
        assert made.why_not(id) == "too_large"
    assert made.get("before") is not None  # it has not pushed others out
    made.keep(said("packs well", b"[" + b" " * 1_000_000 + b"]"))
    await packed(made, "packs well")
    found = made.get("packs well")
    assert found is not None and len(found.came or b"") == 1_000_002


async def test_thirty_megabytes_are_kept_and_the_event_loop_goes_on_meanwhile(workers: Workers) -> None:
    made = contents(workers)
    body = b'{"image":"' + noise(1, 15_000_000).hex().encode() + b'"}'
    ticks = 0
    made.keep(said("large", body, sent=Coded(body.replace(b"image", b"other"))))
    found = made.get("large")
    assert found is not None and found.came == body  # while it waits
    while not isinstance(made._kept["large"], packing.Packed):
        ticks += 1
        await asyncio.sleep(0.001)
    assert ticks > 3
    found = made.get("large")
    assert found is not None and found.came == body
    assert made.size < 0.6 * len(body)  # what left says the same as what came


async def test_a_turn_takes_little_more_than_what_is_new_in_it(workers: Workers) -> None:
    together, apart = contents(workers), contents(workers)
    history = text(0, 30_000)
    for turn in range(30):
        history += text(turn + 1, 500)
        for made, session in ((together, "one"), (apart, "")):
            made.keep(said(str(turn), history, session=session))
            await packed(made)
    assert together.size < apart.size / 4
    for turn in range(30):
        one, other = together.get(str(turn)), apart.get(str(turn))
        assert one is not None and one == other


async def test_a_turn_that_is_gone_stays_as_long_as_another_is_packed_with_it(workers: Workers) -> None:
    made = contents(workers, "400k")
    history = text(0, 30_000)
    number = 0

    def keep_another() -> None:
        nonlocal number
        number += 1
        made.keep(said(str(number), noise(number, 20_000)))

    for turn in range(2):
        made.keep(said(f"turn {turn}", history + text(turn, 50), session="one"))
        await packed(made)
        for _ in range(5):
            keep_another()
    while made.get("turn 0") is not None:
        keep_another()
    found = made.get("turn 1")
    assert found is not None and (found.came or b"").startswith(history)
    while made.get("turn 1") is not None:
        keep_another()
    assert made.size == sum(entry.size for entry in made._kept.values() if isinstance(entry, packing.Packed))
    assert not list(made._of_sessions)


async def test_content_codings_are_undone_within_bounds(workers: Workers) -> None:
    made = contents(workers)
    body = b'{"a":"' + text(1, 500) + b'"}'
    zipped = Coded(gzip.compress(body), "gzip")
    cut = Coded(gzip.compress(body)[:-50], "gzip", is_cut=True)
    made.keep(said("gzip", came=zipped, sent=zipped, answer=cut))
    made.keep(said("zstd", came=Coded(zstandard.compress(body), "zstd"), sent=None))
    made.keep(said("odd", came=Coded(b"\x1f\x8bno", "gzip"), answer=Coded(b"x", "rot13")))
    bomb = Coded(gzip.compress(bytes(200 * MEGABYTE)), "gzip")
    made.keep(said("bomb", came=bomb, sent=bomb))
    await packed(made)
    found = made.get("gzip")
    assert found is not None and found.came == body and found.sent is found.came
    assert found.answer and body.startswith(found.answer) and len(found.answer) > len(body) // 2
    found = made.get("zstd")
    assert found is not None and found.came == body and found.sent is None
    found = made.get("odd")
    assert found is not None and (found.came, found.answer) == (b"\x1f\x8bno", b"x")
    found = made.get("bomb")
    assert found is not None and (found.came, found.why) == (None, "too_large")


async def test_keys_have_stars_in_their_place(workers: Workers) -> None:
    made = contents(workers)
    secret = b"sk-1234567890"
    made.keep(said("a", b"my " + secret, answer=Coded(gzip.compress(secret), "gzip"), secrets=[secret]))
    found = made.get("a")
    assert found is not None and (found.came, found.answer) == (b"my *************", b"*************")


@pytest.mark.parametrize(
    ("options", "is_on"),
    [
        ({}, True),
        ({"page_content": "auto"}, True),
        ({"page_content": "false"}, False),
        ({"admin": "0.0.0.0:9464"}, False),
        ({"admin": "0.0.0.0:9464", "page_content": "true"}, True),
        ({"trust_loopback": "false"}, False),
        ({"trust_loopback": "false", "page_content": "true"}, True),
        ({"admin": "off"}, False),
        ({"admin": "off", "page_content": "true"}, False),
        ({"admin": "[::1]:9464"}, True),
    ],
)
async def test_when_anything_is_kept(workers: Workers, options: dict[str, str], is_on: bool) -> None:
    made = contents(workers, **options)
    made.keep(said("a"))
    assert (made.is_on, len(made)) == (is_on, int(is_on))
    assert made.why_not("a") == ("" if is_on else "off")


async def test_switched_off_all_is_dropped_at_once_and_what_is_being_packed_too(workers: Workers) -> None:
    made = contents(workers)
    made.keep(said("small"))
    made.keep(said("large", noise(1, 600_000), session="s"))
    configure(made, page_content="false")
    assert (len(made), made.size, made.get("small"), made.why_not("large")) == (0, 0, None, "off")
    await until(lambda: not made._tasks)
    assert (len(made), made.size) == (0, 0)
    made.keep(said("later"))
    assert len(made) == 0
    configure(made)
    made.keep(said("again"))
    assert list(made.ids()) == ["again"]


async def test_a_smaller_bound_counts_at_once(workers: Workers) -> None:
    made = contents(workers)
    for number in range(50):
        made.keep(said(str(number), noise(number, 30_000)))
    configure(made, page_bytes="100k")
    assert made.size <= 100 << 10 and next(iter(made.ids())) == "49"


async def test_bodies_that_exchanges_under_way_hold_have_a_bound(workers: Workers) -> None:
    made = contents(workers, "1m")
    assert not made.hold(600_000)  # one takes half at most
    assert made.hold(500_000) and made.hold(500_000) and not made.hold(500_000)
    made.release(500_000)
    assert made.hold(500_000)


async def test_looks_while_exchanges_end(workers: Workers) -> None:
    made = contents(workers, "2m")
    failures: list[BaseException] = []

    def look() -> None:
        try:
            for _ in range(300):
                for id in list(made.ids())[:20]:
                    found = made.get(id)
                    assert found is None or found.came is None or found.came.startswith(id.encode() + b" ")
        except BaseException as error:
            failures.append(error)

    with ThreadPoolExecutor(3) as threads:
        looks = [threads.submit(look) for _ in range(3)]
        number = 0
        while not all(one.done() for one in looks):
            number += 1
            size = (10, 50_000)[number % 7 == 0]
            made.keep(said(str(number), str(number).encode() + b" " + noise(number, size), session=str(number % 3)))
            await asyncio.sleep(0)
    assert not failures, failures


async def test_ten_thousand_exchanges_fit_and_each_is_found(workers: Workers) -> None:
    made = contents(workers)
    for number in range(10_000):
        made.keep(said(str(number), b'{"model":"hy3","messages":[{"role":"user","content":"%b"}]}' % text(number, 40)))
    assert len(list(made.ids())) == 10_000
    assert made.size < 10_000 * 4500
    for number in (0, 5000, 9999):
        found = made.get(str(number))
        assert found is not None and text(number, 40) in (found.came or b"")


async def test_a_fault_while_packing_costs_the_bodies_alone(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    made = contents(workers)
    pack = packing.pack

    def failing(raw: Raw, *arguments: Any, **more: Any) -> packing.Packed:
        if raw.came is not None:
            raise MemoryError
        return pack(raw, *arguments, **more)

    monkeypatch.setattr(kept_contents, "pack", failing)
    made.keep(said("large", noise(1, 100_000)))
    await packed(made)
    found = made.get("large")
    assert found is not None and found.why == "too_large"
    assert made._waiting == 0
    made.keep(said("small"))  # raises nothing
