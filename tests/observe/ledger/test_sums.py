"""Sums of the ledger's file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix.events import Event
from hunyuan_fix.observe.ledger import rows, sums
from hunyuan_fix.observe.ledger.file import LedgerFile, reading
from hunyuan_fix.observe.ledger.sums import Sum, Wanted
from hunyuan_fix.wire.usage import counted
from tests.observe.ledger.calls import DAY, NOW, paid

LARGEST = 2**53 - 1


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Callable[..., sqlite3.Connection]]:
    path = tmp_path / "usage.sqlite3"
    opened: list[sqlite3.Connection] = []

    def keep(*calls: Event) -> sqlite3.Connection:
        with closing(LedgerFile(path, 36_500)) as file:
            file.add([rows.of(call) for call in calls])
        opened.append(reading(path))
        return opened[-1]

    yield keep
    for connection in opened:
        connection.close()


def by(connection: sqlite3.Connection, key: Any, **wanted: Any) -> dict[str, Sum]:
    return {one.key: one for one in sums.sums(connection, key, Wanted(**wanted))}


def test_calls_are_added_up_by_each_key(kept: Callable[..., sqlite3.Connection]) -> None:
    connection = kept(
        paid(),
        paid(client="bob", model="kimi-k3", purpose="vision", session=""),
        paid(NOW + 2 * DAY, model="kimi-k3"),
    )
    assert {key: one.calls for key, one in by(connection, "client").items()} == {"alice": 2, "bob": 1}
    assert {key: one.calls for key, one in by(connection, "model").items()} == {"hy3": 1, "kimi-k3": 2}
    assert {key: one.calls for key, one in by(connection, "purpose").items()} == {"own": 2, "vision": 1}
    assert {key: one.calls for key, one in by(connection, "session").items()} == {"5e55": 2, "": 1}
    days = by(connection, "day")
    assert [one.calls for one in days.values()] == [2, 1]
    assert list(days) == sorted(days)
    assert by(connection, "model")["kimi-k3"].counted.tokens == {
        "input": 80,
        "cached": 16,
        "written": 0,
        "output": 18,
        "reasoning": 0,
    }


def test_currencies_are_never_added(kept: Callable[..., sqlite3.Connection]) -> None:
    connection = kept(paid(), paid(currency="USD", amount=3), paid(), paid(amount=None, currency=""))
    (one,) = sums.sums(connection, "model", Wanted())
    assert one.counted.cost == {"CNY": 3_000_000_000_000, "USD": 3}
    assert {currency: str(cost) for currency, cost in one.counted.costs().items()} == {
        "CNY": "3.000000000000",
        "USD": "3E-12",
    }
    assert one.unpriced == 1


def test_estimates_stand_apart(kept: Callable[..., sqlite3.Connection]) -> None:
    connection = kept(paid(), paid(is_estimated=True), paid(is_estimated=True, is_cancelled=True))
    (one,) = sums.sums(connection, "model", Wanted())
    assert (one.calls, one.counted.calls, one.estimated.calls, one.cancelled) == (3, 1, 2, 1)
    assert (one.counted.tokens["input"], one.estimated.tokens["input"]) == (40, 80)


def test_a_failed_call_is_no_call_of_unknown_price(kept: Callable[..., sqlite3.Connection]) -> None:
    failed = [paid(status=status, usage={}, amount=None, currency="") for status in (0, 400, 503)]
    (one,) = sums.sums(kept(paid(), *failed), "model", Wanted())
    assert (one.calls, one.failed, one.unpriced) == (4, 3, 0)


def test_only_what_is_wanted(kept: Callable[..., sqlite3.Connection]) -> None:
    connection = kept(paid(), paid(NOW + DAY, client="bob"), paid(NOW + 2 * DAY, asked="hy3", model="kimi-k3"))
    everything = sum(one.calls for one in by(connection, "client").values())
    assert everything == 3
    assert by(connection, "client", since=NOW + DAY, until=NOW + 2 * DAY).keys() == {"bob"}
    assert by(connection, "client", clients=["bob", "carol"])["bob"].calls == 1
    assert sum(one.calls for one in by(connection, "model", models=["hy3"]).values()) == 3  # as asked for, too
    assert sum(one.calls for one in by(connection, "model", models=["kimi-k3"]).values()) == 1
    assert by(connection, "client", clients=["' OR 1=1 --"]) == {}


def test_sums_are_exact_past_63_bits(kept: Callable[..., sqlite3.Connection]) -> None:
    connection = kept(*[paid(usage={"input": LARGEST, "output": LARGEST}, amount=10**18 - 1)] * 3000)
    (one,) = sums.sums(connection, "model", Wanted())
    assert one.counted.tokens["input"] == 3000 * LARGEST > 2**63
    assert one.counted.cost == {"CNY": 3000 * (10**18 - 1)}


@pytest.mark.parametrize("odd", [-5, 2**60, float("nan"), float("inf"), "9", True, 1.5, None, [], {}])
def test_odd_counts_never_come_so_far(odd: object, kept: Callable[..., sqlite3.Connection]) -> None:
    usage = counted({"prompt_tokens": odd, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": odd}})
    (one,) = sums.sums(kept(paid(usage=usage)), "model", Wanted())
    assert one.counted.tokens["output"] == 3
    assert one.counted.tokens["input"] == 0


def test_the_most_tokens_come_first(kept: Callable[..., sqlite3.Connection]) -> None:
    connection = kept(paid(model="a"), paid(model="b", usage={"input": 999, "output": 1}), paid(model="c"))
    assert [one.key for one in sums.sums(connection, "model", Wanted())] == ["b", "a", "c"]
    assert sums.total(sums.sums(connection, "model", Wanted())).calls == 3
