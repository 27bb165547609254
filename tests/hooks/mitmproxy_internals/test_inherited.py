"""Ports that another process has opened."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from hunyuan_fix.hooks.mitmproxy_internals import inherited, replacements
from hunyuan_fix.hooks.mitmproxy_internals.ports import ClosingPorts
from tests.proxying import LOCAL, Trust, run_endpoint, run_proxy
from tests.waiting import until


class _Instance:
    """What wants ports to be inherited."""


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """What the other process holds: a port with room for many connections."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as made:
        yield made
    inherited.close()


async def test_a_worker_serves_it_and_closes_its_own_end_only(trust: Trust, listening: socket.socket) -> None:
    wanted = _Instance()
    port = listening.getsockname()[1]
    inherited.serve([listening.dup().detach()])
    replacements.want(wanted, replacements.INHERITING)
    try:
        async with (
            run_endpoint(trust, tls=False) as endpoint,
            run_proxy(trust, f"http://{LOCAL}:{endpoint.port}") as proxy,
        ):
            # It would be taken, were it opened.
            proxy.master.options.update(mode=[f"reverse:http://{LOCAL}:{endpoint.port}@127.0.0.1:{port}"])
            await until(lambda: port in {one[1] for one in proxy.master.addons.get("proxyserver").listen_addrs()})
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
                assert (await client.get("/health", timeout=60)).status_code == 200
            await ClosingPorts(proxy.master.options, proxy.master.addons.get("proxyserver")).closed()
        # The other process still has it: a connection waits there, and isn't refused.
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            listening.accept()[0].close()
        # And once it has closed it, too, nobody has: a client that comes is refused, and doesn't wait for ever.
        listening.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
    finally:
        replacements.release(wanted, replacements.INHERITING)


async def test_one_process_does_not_take_all_that_wait(listening: socket.socket) -> None:
    port = listening.getsockname()[1]
    clients = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(20)]
    inherited.serve([listening.dup().detach()])
    taken = 0

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        taken += 1
        writer.close()

    server: Any = SimpleNamespace(handle_stream=take)
    (serving,) = await inherited.listen(server, "127.0.0.1", port)
    # Another process that is as quick has its share: here it takes one after each turn of the loop.
    others = 0
    listening.setblocking(False)
    while taken + others < 20:
        await asyncio.sleep(0)
        try:
            listening.accept()[0].close()
            others += 1
        except BlockingIOError:
            continue
    serving.close()
    for client in clients:
        client.close()
    assert others >= 5
    assert taken >= 5


async def test_how_many_may_wait_is_the_other_process_s_to_say(listening: socket.socket) -> None:
    """`listen` of one of its processes would shorten the queue for all."""
    port = listening.getsockname()[1]
    inherited.serve([listening.dup().detach()])
    (serving,) = await inherited.listen(SimpleNamespace(handle_stream=None), "127.0.0.1", port)  # type: ignore[arg-type]
    serving.close()
    clients = [socket.socket() for _ in range(50)]
    for client in clients:
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", port))
    await until(lambda: all(_is_open(client) for client in clients))
    for client in clients:
        client.close()


def _is_open(client: socket.socket) -> bool:
    try:
        client.getpeername()
    except OSError:
        return False
    return True


async def test_other_ports_are_opened_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    async def listen(_: object, host: str, port: int) -> list[Any]:
        asked.append((host, port))
        return []

    monkeypatch.setattr(inherited, "_listen", listen)
    assert await inherited.listen(SimpleNamespace(), "127.0.0.1", 1) == []  # type: ignore[arg-type]
    assert asked == [("127.0.0.1", 1)]
