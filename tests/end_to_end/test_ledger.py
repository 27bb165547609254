"""Ledger and endpoint count alike: a thousand calls of every kind through a real mitmdump, retried, mended, cut.

The simulator counts by itself what it bills (`simulator/billing.py`). What it sent to the end is in the ledger to the
token; what broke off is in there as an estimate.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import random
import sqlite3
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from hunyuan_fix import prices, profiles
from hunyuan_fix.stores import sqlite_file
from tests.end_to_end.processes import (
    KEY,
    TOKENHUB,
    Certificates,
    Proxy,
    Simulator,
    clean_environment,
    run_proxy,
    run_simulator,
)
from tests.end_to_end.requests import image
from tests.waiting import until

CALLS = 1000
AT_ONCE = 24
WRONG = '[[sim:say {"n": "He said "hi" to me"}]]'
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
KINDS = ("input", "cached", "written", "output", "reasoning")
OPTIONS = {
    "usage": "ask",
    "retry": "all",
    "retry_tries": "4",
    "json": "ask",
    "breaker_failures": "100000",
    "concurrency": "64",
    "queue_max": "1000",
}


@dataclass(frozen=True, slots=True)
class Call:
    """A request of a client, what the endpoint does wrong with it once, and whether its client leaves."""

    path: str
    body: dict[str, Any]
    fault: str = ""
    leaves: bool = False


@pytest.fixture(scope="module")
def endpoint(certificates: Certificates) -> Iterator[Simulator]:
    given = ("--concurrency", "0", "--but", "effort-refused")
    with run_simulator(certificates, *given, hosts=[TOKENHUB], profile="tokenhub") as running:
        yield running


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def proxy(certificates: Certificates, endpoint: Simulator, data: Path) -> Iterator[Proxy]:
    endpoint.reset()
    given = [word for name, value in OPTIONS.items() for word in ("--set", f"hunyuan_{name}={value}")]
    environment = {"XDG_DATA_HOME": str(data)}
    with run_proxy(certificates, {f"{TOKENHUB}:443": endpoint.port}, *given, environment=environment) as running:
        yield running


def chat(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "hy3", "messages": [{"role": "user", "content": text}], **more}


def a_call(number: int, dice: random.Random) -> Call:
    """The call with this number; its text names it, so that a fault finds it."""
    text = f"<{number}> " + "words " * dice.randrange(1, 40)
    stream = dice.random() < 0.5
    body: dict[str, Any]
    match number % 50:
        case 0:
            texts = [f"{text} {part}" for part in range(70)]
            return Call("/embeddings", {"model": "kinfra-text-embedding-0.6b", "input": texts})
        case 1 | 2:  # twelve pictures in all: the others are known
            picture = image(f"picture {number % 12}")
            body = chat("", tools=TOOLS, stream=stream)
            body["model"] = "hy-vision-2.0-instruct"
            body["messages"][0]["content"] = [{"type": "text", "text": "what is it?"}, picture]
            return Call("/chat/completions", body)
        case 3:
            return Call("/chat/completions", chat(f"{text} {WRONG}", response_format={"type": "json_object"}))
        case 4:
            return Call("/chat/completions", chat(text, stream=stream), fault="rate_limit")
        case 5:
            return Call("/chat/completions", chat(text, stream=stream), fault="internal")
        case 6:
            return Call("/chat/completions", chat(text), fault="truncate_body")
        case 7:
            return Call("/chat/completions", chat(f"{text} [[sim:chunks 12]]", stream=True), fault="cut:6")
        case 8 | 9:
            return Call("/chat/completions", chat(f"{text} [[sim:chunks 12]]", stream=True), "stall:6", leaves=True)
        case 10:
            return Call("/chat/completions", chat(text, stream=stream, top_k=3, seed=-1))
        case 11:
            return Call("/chat/completions", chat(text, stream=stream), fault="garbage_json")
        case 12:  # refused at first, and mended
            body = chat(text, stream=stream, reasoning_effort="high") | {"model": "deepseek-v4-flash"}
            return Call("/chat/completions", body)
        case kind if kind < 22:
            return Call("/messages", chat(text, stream=stream, max_tokens=300))
        case kind if kind < 31:
            return Call("/responses", {"model": "hy3", "input": text, "stream": stream})
        case kind if kind < 36:
            return Call("/chat/completions", chat(text, stream=True, stream_options={"include_usage": True}))
        case _:
            model = dice.choice(("hy3", "hy3-preview", "deepseek-v4-flash"))
            return Call("/chat/completions", chat(text, stream=stream) | {"model": model})


async def made(client: httpx.AsyncClient, call: Call) -> None:
    """Make a call, and read its answer as far as its client does."""
    async with client.stream("POST", call.path, json=call.body) as answer:
        got = b""
        async for piece in answer.aiter_raw():
            got += piece
            if call.leaves and got.count(b"data: ") >= 6:
                return
    assert answer.status_code == 200, got
    if call.body.get("stream") and call.path == "/chat/completions" and not call.fault.startswith("cut"):
        chunks = [json.loads(line[6:]) for line in got.splitlines() if line.startswith(b"data: {")]
        is_asked = "stream_options" in call.body
        assert is_asked == any("usage" in chunk for chunk in chunks)
        assert is_asked == any(not chunk["choices"] for chunk in chunks)


async def all_made(proxy: Proxy, calls: list[Call]) -> None:
    waiting = iter(calls)
    verify = proxy.certificates.proxy_trusted()
    headers = {"authorization": f"Bearer {KEY}", "anthropic-version": "2023-06-01"}

    async def work() -> None:
        async with httpx.AsyncClient(
            proxy=proxy.url,
            verify=verify,
            trust_env=False,
            timeout=60,
            base_url=f"https://{TOKENHUB}/v1",
            headers=headers,
        ) as client:
            for call in waiting:
                await made(client, call)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


def rows(file: Path) -> list[dict[str, Any]]:
    connection = sqlite3.connect(file)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute("SELECT * FROM call ORDER BY id")]
    finally:
        sqlite_file.close(connection, file)


def summed(found: list[dict[str, Any]]) -> dict[str, Counter[str]]:
    sums: dict[str, Counter[str]] = {}
    for row in found:
        one = sums.setdefault(row["model"], Counter())
        one.update({kind: row[kind] or 0 for kind in KINDS} | {"calls": 1})
    return sums


def printed(file: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "hunyuan_fix.cli.main", "usage", "--file", str(file), *arguments]
    return subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=True).stdout


async def test_the_ledger_has_what_the_endpoint_bills(proxy: Proxy, endpoint: Simulator, data: Path) -> None:
    dice = random.Random(16)
    calls = [a_call(number, dice) for number in range(CALLS)]
    endpoint.program(
        *(
            {"fault": call.fault, "match": {"contains": f"<{number}> "}}
            for number, call in enumerate(calls)
            if call.fault
        )
    )
    await all_made(proxy, calls)
    await until(lambda: endpoint.stats()["active"] == 0)
    billed = endpoint.usage()
    proxy.process.terminate()
    proxy.process.wait()
    assert "mended, it is sent once more" in proxy.process.output
    file = data / "hunyuan-fix" / "usage.sqlite3"
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    found = rows(file)

    # 1. What was sent to the end, to the token.
    known = [row for row in found if not row["estimated"] and row["input"] is not None]
    expected = {model: Counter(counts) for model, counts in billed["ended"].items()}
    assert summed(known) == expected

    # 2. What broke off, call by call, as an estimate of what the endpoint had sent by then.
    estimated = [row for row in found if row["estimated"]]
    garbage = CALLS // 50  # answers that are no whole JSON: the endpoint bills none of these, but who could tell
    assert len(estimated) == garbage + sum(counts["calls"] for counts in billed["unfinished"].values())
    assert Counter(row["cancelled"] for row in found) == {0: len(found) - CALLS // 25, 1: CALLS // 25}
    assert all(row["estimated"] for row in found if row["cancelled"])
    (unfinished,) = billed["unfinished"].values()
    assert 0.5 < sum(row["input"] for row in estimated) / unfinished["input"] < 3

    # 3. What the calls were made for, and what they cost.
    purposes = Counter(row["purpose"] for row in known)
    assert purposes["vision"] == 12
    assert purposes["json"] == CALLS // 50
    assert purposes["embeddings"] > CALLS // 50
    assert purposes["own"] == CALLS - CALLS // 50 - CALLS // 50 - CALLS // 25  # no embeddings, no cut, none that left
    tokenhub = profiles.load("tokenhub")
    for row in known:
        usage = {kind: row[kind] for kind in KINDS if row[kind] is not None}
        cost = prices.cost(tokenhub, row["model"], TOKENHUB, usage)
        assert (row["amount"], row["currency"]) == ((cost.amount, cost.currency) if cost else (None, ""))
    assert {(row["model"], row["currency"]) for row in known if row["amount"]} == {("hy3-preview", "CNY")}
    assert {row["upstream"] for row in found} == {TOKENHUB}
    assert not any(KEY in str(value) or "words" in str(value) for row in found for value in row.values())

    # 4. The command says the same.
    said = json.loads(printed(file, "--by", "model", "--format", "json"))
    by_model = {row["model"]: row for row in said["rows"]}
    for model, counts in expected.items():
        assert by_model[model]["tokens"] == {kind: counts[kind] for kind in KINDS}
    assert said["total"]["estimated"]["calls"] == len(estimated)
    assert said["total"]["cancelled"] == CALLS // 25
    lines = list(csv.DictReader(io.StringIO(printed(file, "--by", "purpose", "--format", "csv"))))
    assert {line["purpose"]: int(line["calls"]) for line in lines} == Counter(row["purpose"] for row in found)
    assert "hy3" in printed(file, "--by", "model")
