"""Runs: what the header says, and the numbers of identical requests."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.answer_cache import runs
from hunyuan_fix.answer_cache.runs import Run, Takes
from hunyuan_fix.stores.redis import redis_client
from tests.redis_server import RedisServer


@pytest.mark.parametrize(
    ("header", "run"),
    [
        ("a", Run("a", "")),
        ("a/b", Run("a", "b")),
        (" a b / 1 ", Run("a b", "1")),
        ("运行/一", Run("运行", "一")),
        ("a" * 100, Run("a" * 100, "")),
        ("", None),
        ("/", None),
        ("a/", None),
        ("/b", None),
        ("a/b/c", None),
        ("a" * 101, None),
        ("a/" + "b" * 101, None),
        ("a\nb", None),
        ("a\x00", None),
    ],
)
def test_headers(header: str, run: Run | None) -> None:
    assert runs.of_header(header) == run


@given(st.text(max_size=8), st.text(max_size=8))
def test_what_is_read_has_two_parts_without_a_slash(name: str, take: str) -> None:
    run = runs.of_header(f"{name}/{take}")
    if run is not None:
        assert run == Run(name.strip(), take.strip())
        assert run.take


def test_each_number_of_each_run_has_a_key_of_its_own_and_takes_share_them() -> None:
    keys = {
        runs.key_of(key, Run(name, ""), number) for key in (b"k" * 24, b"l" * 24) for name in "ab" for number in (1, 2)
    }
    assert len(keys) == 8
    assert all(len(key) == 24 for key in keys)
    assert runs.key_of(b"k", Run("a", "1"), 1) == runs.key_of(b"k", Run("a", "2"), 1)


async def test_identical_requests_are_counted_by_caller_run_and_take() -> None:
    takes = Takes()
    asked = [
        (b"c", Run("a", "1"), b"k"),
        (b"d", Run("a", "1"), b"k"),
        (b"c", Run("b", "1"), b"k"),
        (b"c", Run("a", "1"), b"l"),
    ]
    asked.append((b"c", Run("a", "2"), b"k"))
    for number in (1, 2, 3):
        assert [await takes.next(*one) for one in asked] == [number] * 5


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "MOST_TAKES", 10)
    monkeypatch.setattr(runs, "MOST_REQUESTS", 10)
    takes = Takes()
    for number in range(100):
        await takes.next(b"", Run("a", ""), str(number).encode())
        await takes.next(b"", Run("a", str(number)), b"k")
    assert len(takes._takes) == 10
    assert max(len(take) for take in takes._takes.values()) == 10


async def test_several_processes_count_together_in_redis(redis_server: RedisServer) -> None:
    redis_server.start()
    clients = [redis_client(redis_server.url) for _ in range(3)]
    together = [Takes() for _ in clients]
    for takes, client in zip(together, clients, strict=True):
        takes.share(client)
        assert takes.is_shared
    asking = [takes.next(b"c", Run("a", "1"), b"k") for takes in together for _ in range(10)]
    assert sorted(await asyncio.gather(*asking)) == list(range(1, 31))
    assert await together[0].next(b"c", Run("a", "2"), b"k") == 1
    keys = await clients[0].keys("hunyuan-fix:take:*")
    assert len(keys) == 2
    assert min([await clients[0].ttl(key) for key in keys]) > 0
    assert [await takes.next(b"c", Run("a", ""), b"k") for takes in together] == [1, 1, 1], "the take of each process"
    for client in clients:
        await client.aclose()
