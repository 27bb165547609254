"""The sweep: secrets go every way there is, and nothing that is logged, stored, exported or shown has one.

Keys are nowhere; what a conversation holds is only where it is kept on purpose: in saved flows and in the stores.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from hunyuan_fix.access.client_tokens import digest_of
from scripts.lib.processes import free_port
from tests import kept_flows
from tests.end_to_end import secret_ways
from tests.end_to_end.processes import ROOT
from tests.end_to_end.secret_ways import KEY, LENT, TOKEN, WORD, Way, traces_of
from tests.end_to_end.served import Served, serve
from tests.proxying import Answer, Arrived, Endpoint, Trust, run_endpoint

SHOWN = ("/status", "/metrics", "/api/exchanges?limit=1000", "/api/events?seconds=0", "/readyz", "/healthz")
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "text": {"hunyuan_log": "text", "hunyuan_retry": "off"},
    "json": {"hunyuan_log": "json", "hunyuan_retry": "all", "hunyuan_retry_tries": "2"},
    "native": {"hunyuan_log": "json", "hunyuan_profile": "tokenhub", "hunyuan_language": "zh"},
}


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


async def shown(port: int) -> dict[str, bytes]:
    """What the admin server has."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
        pages = {path: (await client.get(path)).content for path in SHOWN}
        listed = json.loads(pages["/api/exchanges?limit=1000"])
        for exchange in listed["exchanges"]:
            path = f"/api/exchanges/{exchange['id']}"
            pages[path] = (await client.get(path)).content
    return pages


def exported(collector: Endpoint) -> bytes:
    """What the collector of traces has got."""
    return b"".join(
        gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body
        for request in collector.arrived
    )


@pytest.mark.parametrize("name", SETTINGS)
async def test_no_secret_gets_anywhere(trust: Trust, tmp_path: Path, name: str):
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

    async with run_endpoint(trust, tls=False) as endpoint, run_endpoint(trust, tls=False) as collector:
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
        options = [
            "-s",
            str(ROOT / "tests/end_to_end/leaving.py"),
        ]
        options += [word for option, value in given.items() for word in ("--set", f"{option}={value}")]
        environment = {"HUNYUAN_API_KEY": LENT}
        async with serve(trust, endpoint, *options, store=f"sqlite:{store}", environment=environment) as running:
            for way in secret_ways.ways():
                sent.append(way)
                await send(running, way)
            pages = await shown(admin)
            running.process.terminate()
            await running.ended()
        spans = exported(collector)
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

    # 2. Outputs -> what is in none of them.
    telling = {"terminal": said, "log file": log.read_bytes(), "traces": spans, **pages}
    keeping = {"store": kept, "flows": flows.read_bytes()}
    found = [
        (where, secret, text[max(0, text.find(trace) - 300) : text.find(trace) + 100])
        for outputs, secrets in ((telling, (KEY, WORD)), (keeping, (KEY,)))
        for where, text in outputs.items()
        for secret in secrets
        for trace in traces_of(secret)
        if trace in text
    ]
    assert not found, "\n".join(f"{where}: {secret} in {text!r}" for where, secret, text in found)
