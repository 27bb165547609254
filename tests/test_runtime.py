"""What holds state: made once a process, configured anew as a whole or not at all, closed at the end."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hunyuan_fix import options
from hunyuan_fix.access.client_tokens import digest_of
from hunyuan_fix.admission import Account, CallRefused, Slot, account
from hunyuan_fix.circuit import Verdict
from hunyuan_fix.config.hot_change import HostOptions
from hunyuan_fix.config.option import OptionError
from hunyuan_fix.dialects.responses import sealing
from hunyuan_fix.observe import statistics_text
from hunyuan_fix.options import Settings
from hunyuan_fix.profiles import load
from hunyuan_fix.runtime import Runtime
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


def slots(made: Runtime) -> int:
    return sum(queue.under_way for queue in made.admission.state().queues)


async def taken(made: Runtime, name: str = "somebody", limit: int = 1, patience: float = 60.0) -> Slot:
    deadline = asyncio.get_running_loop().time() + patience
    return await made.admission.admit(Account(name, limit), until=deadline)


def held(made: Runtime) -> int:
    """Leases in Redis."""
    leases = made.admission.state().leases
    return leases.held if leases else 0


# All or nothing


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.write_text("sk-one\n")
    file.chmod(0o600)
    return file


def state(made: Runtime) -> tuple[object, ...]:
    """What `configure` sets, as others see it."""
    return (
        made.secrets.key,
        made.secrets.tokens,
        made.secrets.seals,
        made.kept.is_on,
        [level.name for chain in (made.chain, made.kept.chain) for level in chain.counts()],
        made.http_client.transport,
        made.admission.state(),
        made.breaker.state(),
        made.settings,
    )


@pytest.mark.parametrize("wrong", ["key", "tokens", "redis", "seal"])
async def test_a_refused_change_changes_nothing(
    secret: Path, tmp_path: Path, wrong: str, monkeypatch: pytest.MonkeyPatch
):
    made = Runtime(settings())
    made.configure(parsed(api_key_file=str(secret), queue_max="3", breaker_failures="4"), TRANSPORT)
    before = state(made)
    values = {"store": f"sqlite:{tmp_path / 'store'}", "queue_max": "9", "breaker_failures": "9", "api_key_file": ""}
    values["keep"] = "store"
    match wrong:
        case "key":
            secret.with_name("open").write_text("sk-two")
            secret.with_name("open").chmod(0o644)
            values["api_key_file"] = str(secret.with_name("open"))
        case "tokens":
            values["client_tokens_file"] = str(tmp_path / "nothing.toml")
        case "seal":
            values["seal_key_file"] = str(tmp_path / "nothing")
        case "redis":
            values["store"] += ",redis://127.0.0.1:1/0"
            monkeypatch.setitem(sys.modules, "redis.asyncio", None)  # as if it were not installed
    with pytest.raises(OptionError):
        made.configure(parsed(**values), Transport(insecure=True))
    assert state(made) == before
    await made.aclose()


async def test_neither_a_log_nor_an_admin_server_moves_where_the_other_is_refused(tmp_path: Path):
    made = Runtime(parsed(admin="off"))
    first = {"log_file": str(tmp_path / "first.log")}
    made.configure(parsed(admin="127.0.0.1:0", **first), TRANSPORT)
    made.admin.start()
    url = made.admin.url
    with pytest.raises(OptionError, match="hunyuan_admin"):
        made.configure(parsed(admin="192.0.2.1:9", log_file=str(tmp_path / "second.log")), TRANSPORT)
    with pytest.raises(OptionError, match="hunyuan_log_file"):
        made.configure(parsed(admin="off", log_file=str(tmp_path)), TRANSPORT)
    assert made.admin.url == url
    logging.getLogger("hunyuan_fix").warning("still here")
    await made.aclose()
    assert "still here" in (tmp_path / "first.log").read_text("utf-8")
    assert (tmp_path / "second.log").read_bytes() == b""


async def test_a_change_reaches_everybody(secret: Path, tmp_path: Path):
    made = Runtime(settings())
    made.configure(parsed(), TRANSPORT)
    assert made.secrets.key.value is None
    values = {"queue_max": "0", "api_key_file": str(secret), "store": f"sqlite:{tmp_path / 'store'}"}
    made.configure(parsed(**values, breaker_failures="1"), TRANSPORT)
    assert made.secrets.key.value == "sk-one"
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
    made = Runtime(settings())
    made.configure(parsed(api_key_file=str(secret)), TRANSPORT)
    key = made.secrets.key
    made.configure(parsed(api_key_file=str(secret), queue_max="7"), TRANSPORT)
    assert made.secrets.key is key
    await made.aclose()


async def test_kept_answers_are_where_the_option_says(tmp_path: Path):
    made = Runtime(settings())
    store = f"sqlite:{tmp_path / 'store'}"

    def levels(**values: str) -> list[str]:
        made.configure(parsed(**values), TRANSPORT)
        return [level.name for level in made.kept.chain.counts()]

    assert levels(store=store) == ["memory"]
    assert levels(store=store, keep="store") == ["memory", "sqlite"]
    assert [level.name for level in made.chain.counts()] == ["memory", "sqlite"]
    assert levels(store="memory", keep="store") == ["memory"]
    assert levels(store=store, keep="off") == ["memory"]
    assert not made.kept.is_on
    await made.aclose()


async def test_the_keys_that_seal_are_those_of_the_file(tmp_path: Path):
    file = tmp_path / "seal"
    file.touch(0o600)
    file.write_text("1" * 32)
    made = Runtime(settings())
    made.configure(parsed(seal_key_file=str(file)), TRANSPORT)
    made.start()
    token = sealing.seal("reasoning", "text")
    file.write_text("2" * 32 + "\n" + "1" * 32)
    await until(lambda: not token_opens_with(sealing.seal("reasoning", "x"), "1"), lambda: None)
    assert sealing.opened("reasoning", token) == "text", "the old key opens"
    new = sealing.seal("reasoning", "new")
    made.configure(parsed(), TRANSPORT)
    assert sealing.opened("reasoning", new) is None, "a key of its own, at once"
    await made.aclose()


def token_opens_with(token: str, key: str) -> bool:
    data = base64.urlsafe_b64decode(token.removeprefix("hf1."))
    try:
        AESGCM(hashlib.sha256(key.encode() * 32).digest()).decrypt(data[:12], data[12:], b"reasoning")
    except InvalidTag:
        return False
    return True


# Watched files


async def test_changed_files_of_options_keys_and_tokens_are_taken_over(secret: Path, tmp_path: Path):
    tokens, file, token = tmp_path / "clients.toml", tmp_path / "hunyuan.yaml", f"hf-{'a' * 43}"
    tokens.touch(0o600)
    file.touch()
    changed: dict[str, str | bool] = {}
    made = Runtime(settings())
    made.configure(parsed(api_key_file=str(secret), client_tokens_file=str(tokens)), TRANSPORT)
    made.config.begin(HostOptions({}, changed.get, changed.update), {}, {}, {})
    made.config.follow([file])
    before = asyncio.all_tasks()
    made.start()
    made.start()
    names = ["hunyuan-fix looks at its health", "hunyuan-fix watches files", "hunyuan-fix watches for alerts"]
    assert sorted(task.get_name() for task in asyncio.all_tasks() - before) == names
    secret.write_text("sk-two\n")
    tokens.write_text(f'[clients.alice]\nhash = "sha256:{digest_of(token).hex()}"\n')
    file.write_text("mode: observe")
    await until(lambda: made.secrets.key.value == "sk-two", lambda: made.secrets.key.value)
    await until(lambda: made.secrets.tokens.owner(token) is not None, lambda: made.secrets.tokens)
    await until(lambda: changed == {"hunyuan_mode": "observe"}, lambda: changed)
    await made.aclose()
    await until(lambda: asyncio.all_tasks() == before, lambda: asyncio.all_tasks() - before)


async def test_a_folder_of_profiles_whose_files_change_is_applied_anew(tmp_path: Path):
    updates: list[object] = []
    given = {"hunyuan_profiles": str(tmp_path)}
    made = Runtime(settings())
    made.configure(parsed(profiles=str(tmp_path)), TRANSPORT)
    made.config.begin(HostOptions({}, given.get, updates.append), {}, {}, {})
    made.start()
    (tmp_path / "mine.toml").write_text('extends = "tokenhub"\nhosts = ["mine.example"]\n')
    await until(lambda: updates == [given], lambda: updates)
    await made.aclose()
    parsed()  # the shipped profiles alone


# Redis


async def test_redis_is_shared_anew_only_when_its_url_changes(redis_server: RedisServer, tmp_path: Path):
    made = Runtime(settings())
    made.configure(parsed(store=redis_server.url), TRANSPORT)
    slot = await taken(made)
    for changed in (
        parsed(store=redis_server.url, queue_max="7"),
        parsed(store=redis_server.url, store_max_bytes="10m"),
        parsed(store=f"sqlite:{tmp_path / 'store'},{redis_server.url}"),
    ):
        made.configure(changed, TRANSPORT)
        # Other leases would hold nothing.
        assert held(made) == 1
    made.configure(parsed(store=redis_server.url.removesuffix("0") + "1"), TRANSPORT)
    assert held(made) == 0
    made.configure(parsed(), TRANSPORT)
    assert made.admission.state().leases is None
    slot.release()
    assert slots(made) == 0
    await made.aclose()


async def test_two_processes_share_slots_and_counts_until_one_of_them_ends(redis_server: RedisServer):
    one, other = Runtime(settings()), Runtime(settings())
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
    made = Runtime(settings())
    made.configure(parsed(store=redis_server.url, queue_max="0", breaker_failures="1"), TRANSPORT)
    mine = account(load("hunyuan"), "Bearer sk-very-secret", parsed(concurrency="1"))
    slot = await made.admission.admit(mine, until=asyncio.get_running_loop().time() + 60)
    with pytest.raises(CallRefused):
        await made.admission.admit(mine, until=asyncio.get_running_loop().time() + 60)
    made.breaker.permit("https://endpoint.test/v1").end(Verdict.DOWN)
    text = statistics_text.text(made.metrics)
    assert "slots: 1 taken, 0 waiting; 1 admitted, 1 refused by a full queue, 0 after waiting" in text
    assert "breaker: opened 1, closed 0, spared 0 calls; open now: 1" in text
    assert "leases over Redis: 1 held, 0 failures" in text
    assert "store memory: 0 hits" in text
    assert "store redis: 0 hits" in text
    for secret in ("sk-very-secret", mine.name.partition(":")[2], str(redis_server.port)):
        assert secret not in text
    slot.release()
    await made.aclose()


async def test_the_metrics_are_what_each_room_has_counted():
    made = Runtime(settings())
    relay, breaker = made.relay.counts, made.breaker.counts
    relay.calls, relay.tries, relay.refused, relay.broken, relay.abandoned = 1, 2, 3, 4, 5
    relay.retries["no answer in time"] = 6
    breaker.opened, breaker.closed, breaker.refused = 7, 8, 9
    for _ in range(2):
        await made.chain.get("missing")
    made.chain.put("there", b"x")
    assert made.chain.at_hand("there")
    await made.kept.chain.get("missing")  # what is kept shares the places
    read = {
        (metric.name, *labels): value
        for metric, series in made.metrics.collect().items()
        for labels, value in series.items()
        if metric.name.startswith(("hunyuan_relay", "hunyuan_retries", "hunyuan_breaker", "hunyuan_store")) and value
    }
    assert read == {
        ("hunyuan_relay_calls_total",): 1,
        ("hunyuan_relay_tries_total",): 2,
        ("hunyuan_relay_turned_away_total",): 3,
        ("hunyuan_relay_streams_broken_total",): 4,
        ("hunyuan_relay_abandoned_total",): 5,
        ("hunyuan_retries_total", "timeout"): 6,
        ("hunyuan_breaker_opened_total",): 7,
        ("hunyuan_breaker_closed_total",): 8,
        ("hunyuan_breaker_spared_total",): 9,
        ("hunyuan_store_hits_total", "memory"): 1,
        ("hunyuan_store_misses_total", "memory"): 3,
    }
    await made.aclose()


# The end


async def test_close_writes_what_waits_and_leaves_no_task(redis_server: RedisServer, tmp_path: Path):
    store = f"sqlite:{tmp_path / 'store'},{redis_server.url}"
    before = asyncio.all_tasks()
    made = Runtime(settings())
    made.configure(parsed(store=store), TRANSPORT)
    made.start()
    await made.relay.start()
    await taken(made)
    made.chain.put("d:key", b"a description", None)
    await made.aclose()
    await until(lambda: asyncio.all_tasks() == before, lambda: asyncio.all_tasks() - before)
    assert made.relay.port == 0
    later = Runtime(settings())
    later.configure(parsed(store=f"sqlite:{tmp_path / 'store'}"), TRANSPORT)
    item = await later.chain.get("d:key")
    assert item is not None
    assert item.value == b"a description"
    await later.aclose()


async def test_close_twice_does_no_harm():
    made = Runtime(settings())
    made.configure(parsed(), TRANSPORT)
    made.start()
    await made.aclose()
    await made.aclose()


async def test_a_redis_server_that_does_not_answer_is_told_of_at_the_start(
    caplog: pytest.LogCaptureFixture, redis_server: RedisServer
):
    made = Runtime(settings())
    made.configure(parsed(store="redis://127.0.0.1:1/0"), TRANSPORT)
    made.start()
    await until(lambda: "edis" in caplog.text)
    (line,) = [line for line in caplog.messages if "edis" in line]
    assert "doesn't answer" in line
    await made.aclose()
    caplog.clear()
    well = Runtime(settings())
    well.configure(parsed(store=redis_server.url), TRANSPORT)
    well.start()
    await until(lambda: any(check["name"] == "redis" and check["looked"] for check in well.health.report()))
    assert "edis" not in caplog.text
    await well.aclose()
