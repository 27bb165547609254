"""Budgets through a real mitmdump and the simulator: three formats, whole and streamed; two workers that share one."""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.processes import KEY, TOKENHUB, Certificates, Proxy, Simulator, run_proxy, run_simulator
from tests.end_to_end.test_workers import Workers, client, running
from tests.redis_server import RedisServer

LIMIT = 5
"""Tokens: less than one call uses."""
BODIES: dict[str, dict[str, Any]] = {
    "/chat/completions": {"model": "hy3", "messages": [{"role": "user", "content": "say something"}]},
    "/messages": {"model": "hy3", "max_tokens": 50, "messages": [{"role": "user", "content": "say something"}]},
    "/responses": {"model": "hy3", "input": "say something"},
}


@pytest.fixture(scope="module")
def bounded(
    certificates: Certificates, running_tokenhub: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    file = tmp_path_factory.mktemp("budgets") / "budgets.sqlite3"
    options = ("--set", f"hunyuan_budgets=session:* day {LIMIT} tokens", "--set", f"hunyuan_budgets_file={file}")
    with run_proxy(certificates, {f"{TOKENHUB}:443": running_tokenhub.port}, *options) as proxy:
        yield proxy


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", BODIES)
def test_a_session_that_has_spent_its_budget_is_refused(
    bounded: Proxy, tokenhub: Simulator, path: str, stream: bool
) -> None:
    with httpx.Client(
        proxy=bounded.url,
        verify=bounded.certificates.proxy_trusted(),
        trust_env=False,
        timeout=60,
        base_url=f"https://{TOKENHUB}/v1",
        headers={"authorization": f"Bearer {KEY}", "anthropic-version": "2023-06-01"},
    ) as connected:
        for session in ("one", "other"):
            named = {"x-session-id": f"{session} {path} {stream}"}
            body = BODIES[path] | {"stream": stream}
            answer = connected.post(path, json=body, headers=named)
            assert answer.status_code == 200
            assert ("usage" in answer.text) is (path != "/chat/completions" or not stream)
            for _ in range(2):
                answer = connected.post(path, json=body, headers=named)
                assert answer.status_code == (400 if path == "/chat/completions" else 402)
                assert answer.headers["x-should-retry"] == "false"
                assert "session:* day 5 tokens" in answer.json()["error"]["message"]
        assert len(tokenhub.requests()) == 2


def used(workers: Workers, calls: int) -> tuple[list[int], int]:
    """The statuses of `calls` calls, sent by six clients at once, and the tokens that the answers say were used."""
    statuses: list[int] = []
    tokens: list[int] = []
    left = iter(range(calls))
    lock = threading.Lock()

    def work() -> None:
        with client() as connected:
            while True:
                with lock:
                    number = next(left, None)
                if number is None:
                    return
                body = {
                    "model": "hunyuan-lite",
                    "max_tokens": 30,
                    "messages": [{"role": "user", "content": f"say {number}"}],
                }
                got = connected.post(f"{workers.told['base_url']}/chat/completions", json=body)
                statuses.append(got.status_code)
                if got.status_code == 200:
                    tokens.append(got.json()["usage"]["total_tokens"])

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses, sum(tokens)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no --workers")
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_two_workers_share_a_budget(
    certificates: Certificates, request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    limit = 600
    file = tmp_path / "budgets.sqlite3"
    options = ["--set", f"hunyuan_budgets=all month {limit} tokens", "--set", f"hunyuan_budgets_file={file}"]
    if kind == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        options += ["--set", f"hunyuan_store={server.url}"]
    with (
        run_simulator(certificates, "--concurrency", "0") as simulator,
        running(tmp_path, simulator.url, *options) as workers,
    ):
        statuses, tokens = used(workers, 60)
        assert statuses.count(200) == len(simulator.requests())
        assert set(statuses) <= {200, 400, 429}
        assert 400 in statuses
        assert limit <= tokens < limit + 6 * 60, "six calls at once, and what each was estimated too low"
        found = workers.admin("/status").json()["budgets"]
        assert [(one["budget"], one["spent"]) for one in found] == [("all month 600 tokens", tokens)]
        metrics = workers.admin("/metrics").text
        assert f'hunyuan_budget_used_ratio{{period="month",scope="all",unit="tokens"}} {tokens / limit}' in metrics
        assert "hunyuan_budgets_failing 0.0" in metrics
        assert [used(workers, 3)[0] for _ in range(2)] == [[400] * 3] * 2
    if kind == "sqlite":
        with closing(sqlite3.connect(file)) as opened:
            assert opened.execute("SELECT spent FROM counter").fetchall() == [(tokens,)]
            assert opened.execute("SELECT count(*) FROM held").fetchall() == [(0,)]
    else:
        assert not file.exists()
