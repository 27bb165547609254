"""What holds state: made once a process, configured anew as a whole or not at all, closed at the end."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix import runtime
from hunyuan_fix.admission import Account, CallRefused, Slot, account
from hunyuan_fix.circuit import Verdict
from hunyuan_fix.config import options
from hunyuan_fix.config.options import OptionError, Settings
from hunyuan_fix.profiles import load
from hunyuan_fix.runtime import Services
from hunyuan_fix.upstream.client import Transport
from tests.redis_server import RedisServer
from tests.waiting import until

TRANSPORT = Transport()


class Master:
    """Stands for mitmproxy's."""


def settings(**changed: Any) -> Settings:
    return replace(options.parse({}), **changed)


def parsed(**values: str) -> Settings:
    return options.parse({f"hunyuan_{name}": value for name, value in {"store": "memory", **values}.items()})


def slots(made: Services) -> int:
    return sum(queue.under_way for queue in made.admission.state().queues)


async def taken(made: Services, name: str = "somebody", limit: int = 1, patience: float = 60.0) -> Slot:
    deadline = asyncio.get_running_loop().time() + patience
    return await made.admission.admit(Account(name, limit), until=deadline)


def held(made: Services) -> int:
    """Leases in Redis."""
    leases = made.admission.state().leases
    return leases.held if leases else 0


# Once a process


def test_a_reload_finds_the_services_again():
    master, other = Master(), Master()
    first = runtime.of(master, settings())
    assert runtime.of(master, settings(queue_max=7)) is first
    assert runtime.of(other, settings()) is not first


def test_services_of_a_master_that_is_gone_are_gone():
    """Tests and scripts run many masters in one process."""
    master = Master()
    made = weakref.ref(runtime.of(master, settings()))
    del master
    gc.collect()
    assert made() is None


async def test_slots_outlive_a_reload():
    master = Master()
    old = runtime.of(master, settings())
    old.configure(parsed(), TRANSPORT)
    slot = await taken(old)
    new = runtime.of(master, settings())
    new.configure(parsed(), TRANSPORT)
    waiting = asyncio.create_task(taken(new))
    await asyncio.sleep(0)
    assert not waiting.done()
    slot.release()
    (await waiting).release()
    assert slots(new) == 0


# All or nothing


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.write_text("sk-one\n")
    file.chmod(0o600)
    return file


def state(made: Services) -> tuple[object, ...]:
    """What `configure` sets, as others see it."""
    return (
        made.key,
        made.tokens,
        made.admission.state().leases is not None,
        [level.name for level in made.chain.counts()],
        made.http_client.transport,
        made.admission.state().queue_max,
        made.breaker.state().failures,
        made._settings,
    )


@pytest.mark.parametrize("wrong", ["key", "tokens", "redis"])
async def test_a_refused_change_changes_nothing(
    secret: Path, tmp_path: Path, wrong: str, monkeypatch: pytest.MonkeyPatch
):
    made = Services(settings())
    made.configure(parsed(api_key_file=str(secret), queue_max="3", breaker_failures="4"), TRANSPORT)
    before = state(made)
    values = {"store": f"sqlite:{tmp_path / 'store'}", "queue_max": "9", "breaker_failures": "9", "api_key_file": ""}
    match wrong:
        case "key":
            secret.with_name("open").write_text("sk-two")
            secret.with_name("open").chmod(0o644)
            values["api_key_file"] = str(secret.with_name("open"))
        case "tokens":
            values["client_tokens_file"] = str(tmp_path / "nothing.toml")
        case "redis":
            values["store"] += ",redis://127.0.0.1:1/0"
            monkeypatch.setitem(sys.modules, "redis.asyncio", None)  # as if it were not installed
    with pytest.raises(OptionError):
        made.configure(parsed(**values), Transport(insecure=True))
    assert state(made) == before
    await made.aclose()


async def test_a_change_reaches_everybody(secret: Path, tmp_path: Path):
    made = Services(settings())
    made.configure(parsed(), TRANSPORT)
    assert made.key.value is None
    values = {"queue_max": "0", "api_key_file": str(secret), "store": f"sqlite:{tmp_path / 'store'}"}
    made.configure(parsed(**values, breaker_failures="1"), TRANSPORT)
    assert made.key.value == "sk-one"
    assert [level.name for level in made.chain.counts()] == ["memory", "sqlite"]
    permit = made.breaker.permit("https://endpoint.test/v1")
    permit.end(Verdict.DOWN)
    assert made.breaker.open() == ["https://endpoint.test/v1"]
    slot = await taken(made)
    with pytest.raises(CallRefused):
        await taken(made)
    slot.release()
    await made.aclose()


async def test_the_same_file_of_keys_is_not_read_anew(secret: Path):
    """What it says now is found by the watch, not by whichever other option changes."""
    made = Services(settings())
    made.configure(parsed(api_key_file=str(secret)), TRANSPORT)
    key = made.key
    made.configure(parsed(api_key_file=str(secret), queue_max="7"), TRANSPORT)
    assert made.key is key
    await made.aclose()


# Redis


async def test_redis_is_shared_anew_only_when_its_url_changes(redis_server: RedisServer, tmp_path: Path):
    made = Services(settings())
    made.configure(parsed(store=redis_server.url), TRANSPORT)
    slot = await taken(made)
    leases = made._leases
    assert leases is not None
    for changed in (
        parsed(store=redis_server.url, queue_max="7"),
        parsed(store=redis_server.url, store_max_bytes="10m"),
        parsed(store=f"sqlite:{tmp_path / 'store'},{redis_server.url}"),
    ):
        made.configure(changed, TRANSPORT)
        assert made._leases is leases
        assert held(made) == 1
    made.configure(parsed(store=redis_server.url.removesuffix("0") + "1"), TRANSPORT)
    assert made._leases is not leases
    made.configure(parsed(), TRANSPORT)
    assert made.admission.state().leases is None
    slot.release()
    assert slots(made) == 0
    await made.aclose()


async def test_two_processes_share_slots_and_counts_until_one_of_them_ends(redis_server: RedisServer):
    one, other = Services(settings()), Services(settings())
    for made in (one, other):
        made.configure(parsed(store=redis_server.url, requests_per_minute="10"), TRANSPORT)
    slot = await taken(one)
    with pytest.raises(CallRefused):
        await taken(other, patience=0.3)
    slot.release()
    (await taken(other)).release()
    await one.limits.admit("alice")
    headers = await other.limits.admit("alice")
    assert isinstance(headers, dict)
    assert headers["x-ratelimit-remaining-requests"] == "8"
    assert other.limits.bypasses == 0
    await taken(one)  # never released: its process ends
    await one.aclose()
    (await taken(other)).release()
    await other.aclose()


# Counts


async def test_counts_say_how_it_stands_and_name_nobody(redis_server: RedisServer):
    made = Services(settings())
    made.configure(parsed(store=redis_server.url, queue_max="0", breaker_failures="1"), TRANSPORT)
    mine = account(load("hunyuan"), "Bearer sk-very-secret", parsed(concurrency="1"))
    slot = await made.admission.admit(mine, until=asyncio.get_running_loop().time() + 60)
    with pytest.raises(CallRefused):
        await made.admission.admit(mine, until=asyncio.get_running_loop().time() + 60)
    made.breaker.permit("https://endpoint.test/v1").end(Verdict.DOWN)
    text = "\n".join(made.counts())
    assert "slots: 1 taken, 0 waiting; 1 admitted, 1 refused by a full queue, 0 after waiting" in text
    assert "breaker: opened 1, closed 0, spared 0 calls; open now: 1" in text
    assert "leases over Redis: 1 held, 0 failures" in text
    assert "store memory: 0 hits" in text
    assert "store redis: 0 hits" in text
    for secret in ("sk-very-secret", mine.name.partition(":")[2], str(redis_server.port)):
        assert secret not in text
    slot.release()
    await made.aclose()


# The end


async def test_close_writes_what_waits_and_leaves_no_task(redis_server: RedisServer, tmp_path: Path):
    store = f"sqlite:{tmp_path / 'store'},{redis_server.url}"
    before = asyncio.all_tasks()
    made = Services(settings())
    made.configure(parsed(store=store), TRANSPORT)
    made.start()
    await made.relay.start()
    await taken(made)
    made.chain.put("d:key", b"a description", None)
    await made.aclose()
    await until(lambda: asyncio.all_tasks() == before, lambda: asyncio.all_tasks() - before)
    assert made.relay.port == 0
    later = Services(settings())
    later.configure(parsed(store=f"sqlite:{tmp_path / 'store'}"), TRANSPORT)
    item = await later.chain.get("d:key")
    assert item is not None
    assert item.value == b"a description"
    await later.aclose()


async def test_close_twice_does_no_harm():
    made = Services(settings())
    made.configure(parsed(), TRANSPORT)
    made.start()
    await made.aclose()
    await made.aclose()
