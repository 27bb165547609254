"""The sweep: secrets go every way there is, and nothing that is logged, stored, exported, told or shown has one.

Keys are nowhere; what a conversation holds is only where it is kept on purpose: in saved flows and in the stores.
"""

from __future__ import annotations

import gzip
import json
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from redis.asyncio import Redis

from hunyuan_fix.access.client_tokens import digest_of
from scripts.lib.processes import free_port
from tests import kept_flows
from tests.cli.shell_environment import command
from tests.end_to_end import secret_ways
from tests.end_to_end.processes import ROOT, process
from tests.end_to_end.secret_ways import KEY, LENT, TOKEN, WORD, Way, traces_of
from tests.end_to_end.served import Served, serve
from tests.proxying import Answer, Arrived, Endpoint, Trust, run_endpoint
from tests.redis_server import RedisServer
from tests.waiting import until

SHOWN = ("/status", "/metrics", "/api/exchanges?limit=1000", "/api/events?seconds=0", "/readyz", "/healthz")
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "text": {"hunyuan_log": "text", "hunyuan_retry": "off"},
    "json": {"hunyuan_log": "json", "hunyuan_retry": "all", "hunyuan_retry_tries": "2"},
    "native": {"hunyuan_log": "json", "hunyuan_profile": "tokenhub", "hunyuan_language": "zh"},
}
IN_REDIS = "native"
"""The settings under which the store is Redis; else it is SQLite."""
ADMIN_TOKEN = f"admin{KEY}{'c' * 20}"


async def send(running: Served, way: Way) -> None:
    """Send the request, and read its answer, whatever it is."""
    content = way.body if isinstance(way.body, bytes) else json.dumps(way.body).encode()
    sent = {"content-type": "application/json", **way.headers}
    with suppress(httpx.HTTPError):  # some answers are cut
        async with (
            running.client() as client,
            client.stream(way.method, way.path, content=content if way.body else None, headers=sent) as answer,
        ):
            async for _ in answer.aiter_raw():
                if way.leaves:
                    break


async def shown(port: int) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """What the admin server has, without what conversations hold; and the pages that show that."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
        pages = {path: (await client.get(path)).content for path in SHOWN}
        listed = json.loads(pages["/api/exchanges?limit=1000"])
        for exchange in listed["exchanges"]:
            path = f"/api/exchanges/{exchange['id']}"
            pages[path] = (await client.get(path)).content
        of_exchanges = ("raw/came", "raw/sent", "raw/answer", "raw/came?pretty=1", "curl", "images/1", "images/2")
        paths = [f"/api/exchanges/{exchange['id']}/{part}" for exchange in listed["exchanges"] for part in of_exchanges]
        sessions = {exchange["session"] for exchange in listed["exchanges"] if exchange.get("session")}
        paths += [f"/api/sessions/{quote(one, safe='')}/export/{made}" for one in sessions for made in ("har", "jsonl")]
        contents = {path: (await client.get(path)).content for path in paths}
    return pages, contents


def exported(collector: Endpoint) -> bytes:
    """What the collector of traces has got."""
    return b"".join(
        gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body
        for request in collector.arrived
    )


async def kept_in(redis: Any) -> bytes:
    """All that a Redis server holds: keys, and values of every kind."""
    found = [b""]
    async for key in redis.scan_iter():
        match await redis.type(key):
            case b"string":
                values = [await redis.get(key)]
            case b"hash":
                values = [part for pair in (await redis.hgetall(key)).items() for part in pair]
            case b"zset":
                values = await redis.zrange(key, 0, -1)
            case b"list":
                values = await redis.lrange(key, 0, -1)
            case b"set":
                values = list(await redis.smembers(key))
            case other:
                raise AssertionError(f"{key!r} is a {other!r}, which this test can't read")
        found += [key, *values]
    return b"\n".join(found)


@pytest.mark.parametrize("name", SETTINGS)
async def test_no_secret_gets_anywhere(trust: Trust, tmp_path: Path, name: str, redis_server: RedisServer):
    log, flows, store = tmp_path / "hunyuan.log", tmp_path / "flows", tmp_path / "store.sqlite"
    tokens, admin = tmp_path / "clients.toml", free_port()
    tokens.touch(0o600)
    tokens.write_text(f'[clients.alice]\nhash = "sha256:{digest_of(TOKEN).hex()}"\n')
    sent: list[Way] = []

    def answer(request: Arrived) -> Answer:
        says = sent[-1].answer
        if request.method == "POST" and b'"model"' in request.body and "vision" in str(request.json.get("model")):
            return secret_ways.seen(request)
        return says if isinstance(says, Answer) else says(request)

    password = f"redis{KEY}"
    redis = Redis(port=redis_server.port)
    await redis.config_set("requirepass", password)
    await redis.execute_command("AUTH", password)
    in_redis = name == IN_REDIS
    kept_where = redis_server.url if in_redis else f"sqlite:{store}"

    async with (
        run_endpoint(trust, tls=False) as endpoint,
        run_endpoint(trust, tls=False) as collector,
        run_endpoint(trust, tls=False) as receiver,
    ):
        endpoint.answer = answer
        given = {
            "hunyuan_log_file": str(log),
            "hunyuan_client_tokens_file": str(tokens),
            "hunyuan_admin": f"127.0.0.1:{admin}",
            "hunyuan_traces": f"http://127.0.0.1:{collector.port}",
            "hunyuan_max_body": "512k",
            "hunyuan_keep": "store",
            "hunyuan_breaker_failures": "0",
            "save_stream_file": str(flows),
            **SETTINGS[name],
        }
        scripts = (str(ROOT / "tests/end_to_end" / script) for script in ("leaving.py", "watchful.py"))
        options = [word for script in scripts for word in ("-s", script)]
        options += [word for option, value in given.items() for word in ("--set", f"{option}={value}")]
        hook = f"http://127.0.0.1:{receiver.port}/hook/{KEY}?key={KEY}"
        environment = {
            "HUNYUAN_API_KEY": LENT,
            "HUNYUAN_ALERT_WEBHOOK": hook,
            "HUNYUAN_REDIS_PASSWORD": password,
            "OTEL_EXPORTER_OTLP_HEADERS": f"x-api-key={KEY}",
        }
        async with serve(trust, endpoint, *options, store=kept_where, environment=environment) as running:
            for way in secret_ways.ways():
                sent.append(way)
                await send(running, way)
            await until(lambda: any(b"HunyuanQuota" in request.body for request in receiver.arrived))
            pages, contents = await shown(admin)
            running.process.terminate()
            await running.ended()
        spans = exported(collector)
        told = b"".join(request.body for request in receiver.arrived)
    shared = await kept_in(redis)
    await redis.aclose()
    said = running.process.output.encode()

    # 1. The sweep has seen what it is about.
    kept = b"".join(file.read_bytes() for file in (store, Path(f"{store}-wal")) if file.exists())
    arrived = b"".join(request.body for request in endpoint.arrived)
    assert any(WORD.encode() in request.body for request in endpoint.arrived)
    assert WORD.encode() in flows.read_bytes() and WORD.encode() in arrived
    assert len(json.loads(pages[SHOWN[2]])["exchanges"]) > len(sent) - 5
    assert len(kept_flows.read(flows)) > len(sent) - 5
    assert b"-> 401" in said and b"-> 401" in log.read_bytes()
    assert b"exchanges " in said and len(spans) > 10_000
    assert WORD.encode() in (shared if in_redis else kept)
    assert bool(shared) == in_redis
    for part in ("raw/came", "raw/sent", "raw/answer", "curl", "export/har", "export/jsonl"):
        assert any(path.endswith(part) and WORD.encode() in text for path, text in contents.items()), part
    assert any(text.startswith(b"\x89PNG") for text in contents.values())

    # 2. Outputs -> what is in none of them.
    telling = {"terminal": said, "log file": log.read_bytes(), "traces": spans, "webhook": told, **pages}
    keeping = {"store": kept, "Redis": shared, "flows": flows.read_bytes(), **contents}
    found = [
        (where, secret, text[max(0, text.find(trace) - 300) : text.find(trace) + 100])
        for outputs, secrets in ((telling, (KEY, WORD)), (keeping, (KEY,)))
        for where, text in outputs.items()
        for secret in secrets
        for trace in traces_of(secret)
        if trace in text
    ]
    assert not found, "\n".join(f"{where}: {secret} in {text!r}" for where, secret, text in found)


def test_no_secret_is_in_the_file_that_run_keeps_of_itself_or_in_what_it_prints(tmp_path: Path) -> None:
    """`hunyuan-fix run` with every secret that it can be given; other commands read that file."""
    home = tmp_path / "home"
    tokens = tmp_path / "clients.toml"
    tokens.touch(0o600)
    tokens.write_text(f'[clients.alice]\nhash = "sha256:{digest_of(TOKEN).hex()}"\n')
    ports = ["--port", str(free_port()), "--reverse-port", str(free_port())]
    given = [f"hunyuan_admin=127.0.0.1:{free_port()}", f"hunyuan_client_tokens_file={tokens}"]
    given += [f"hunyuan_store=redis://127.0.0.1:{free_port()}/0"]
    full = [*command("run"), "--json", "--upstream", f"http://127.0.0.1:{free_port()}/v1", *ports]
    full += [word for one in given for word in ("--set", one)]
    variables = {
        "HOME": str(home),
        "XDG_DATA_HOME": str(home),
        "HUNYUAN_API_KEY": LENT,
        "HUNYUAN_ADMIN_TOKEN": ADMIN_TOKEN,
        "HUNYUAN_ALERT_WEBHOOK": f"https://hooks.example/{KEY}",
        "HUNYUAN_REDIS_PASSWORD": KEY,
        "OTEL_EXPORTER_OTLP_HEADERS": f"x-api-key={KEY}",
    }
    with process("scripts/run", full, variables) as started:
        started.wait_for(r"(?m)^(\{.*\})$")
        kept = {file: file.read_bytes() for file in home.rglob("*") if file.is_file()}
        (state,) = (file for file in kept if file.suffix == ".json" and file.parent.name == "running")
        assert stat.S_IMODE(state.stat().st_mode) == 0o600
        assert json.loads(kept[state])["admin_url"]
    kept[Path("what it prints")] = started.output.encode()
    found = [str(file) for file, text in kept.items() for trace in traces_of(KEY) if trace in text]
    assert not found
