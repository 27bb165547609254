"""A description that was paid for once survives a restart, and serves every worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from tests.end_to_end.processes import KEY, LEGACY, Certificates, Proxy, Simulator, run_proxy
from tests.end_to_end.requests import MODEL, image, tool
from tests.redis_server import RedisServer


def ask(proxy: Proxy, shown: str) -> str:
    """What the simulator says to a request whose image shows `shown`."""
    body: dict[str, Any] = {
        "model": MODEL,
        "tools": [tool()],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Read."}, image(f"[[sim:say {shown}]]")]}],
    }
    headers = {"authorization": f"Bearer {KEY}"}
    answer = httpx.post(
        f"{proxy.reverse_url}/chat/completions", json=body, headers=headers, timeout=60, trust_env=False
    )
    answer.raise_for_status()
    return str(answer.json()["choices"][0]["message"]["content"])


def test_a_description_survives_a_restart(certificates: Certificates, simulator: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "store" / "descriptions.sqlite3"
    redirects = {f"{LEGACY}:443": simulator.port}
    for _ in range(2):
        with run_proxy(certificates, redirects, store=f"sqlite:{file}", unhurried=True) as proxy:
            assert ask(proxy, "重启之后还在") == "重启之后还在"
            proxy.process.terminate()
            assert proxy.process.wait() == 0
    assert simulator.stats()["vision_calls"] == 1
    assert {path.stat().st_mode & 0o777 for path in file.parent.iterdir()} == {0o600}


def test_without_an_option_it_is_in_the_users_own_folder(
    certificates: Certificates, simulator: Simulator, tmp_path: Path
) -> None:
    redirects, home = (
        {f"{LEGACY}:443": simulator.port},
        {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")},
    )
    for _ in range(2):
        with run_proxy(certificates, redirects, store="sqlite", environment=home, unhurried=True) as proxy:
            assert ask(proxy, "默认位置") == "默认位置"
            proxy.process.terminate()
            assert proxy.process.wait() == 0
    assert simulator.stats()["vision_calls"] == 1
    assert list(tmp_path.rglob("store.sqlite3"))


def test_a_description_serves_every_worker(
    certificates: Certificates, simulator: Simulator, redis_server: RedisServer
) -> None:
    redirects = {f"{LEGACY}:443": simulator.port}
    with (
        run_proxy(certificates, redirects, store=redis_server.url, unhurried=True) as first,
        run_proxy(certificates, redirects, store=redis_server.url, unhurried=True) as second,
    ):
        assert ask(first, "一人付费") == "一人付费"
        first.process.terminate()
        assert first.process.wait() == 0  # what is written behind is written by then
        assert ask(second, "一人付费") == "一人付费"
    assert simulator.stats()["vision_calls"] == 1


def test_no_request_fails_without_redis(
    certificates: Certificates, simulator: Simulator, redis_server: RedisServer
) -> None:
    with run_proxy(certificates, {f"{LEGACY}:443": simulator.port}, store=redis_server.url) as proxy:
        assert ask(proxy, "有") == "有"
        redis_server.pause()
        assert ask(proxy, "慢") == "慢"
        redis_server.stop()
        assert ask(proxy, "没有") == "没有"
    assert simulator.stats()["vision_calls"] == 3
