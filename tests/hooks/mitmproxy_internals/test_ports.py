"""Ports at a shutdown. That a process with one for HTTP/3 ends in order: end_to_end/test_saved_flows.py."""

from __future__ import annotations

import asyncio
import socket

import pytest

from hunyuan_fix.hooks.mitmproxy_internals import ports
from hunyuan_fix.hooks.mitmproxy_internals.ports import ClosingPorts
from tests.proxying import LOCAL, Proxy, Trust, run_proxy
from tests.waiting import until


def listens(proxy: Proxy, kind: socket.SocketKind) -> bool:
    """Whether somebody has the reverse port."""
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", proxy.reverse_port))
        except OSError:
            return True
    return False


async def test_they_are_closed_for_tcp_and_http3(trust: Trust):
    async with run_proxy(trust, f"https://{LOCAL}") as proxy:
        assert listens(proxy, socket.SOCK_STREAM)
        assert listens(proxy, socket.SOCK_DGRAM)
        closing = ClosingPorts(proxy.master.options, proxy.master.addons.get("proxyserver"))
        await closing.closed()
        assert not listens(proxy, socket.SOCK_STREAM)
        assert not listens(proxy, socket.SOCK_DGRAM)


async def test_those_of_a_start_that_failed_are_closed_without_mitmproxy(trust: Trust):
    async with run_proxy(trust, f"https://{LOCAL}") as proxy:
        await proxy.addon._start_failed()
        assert not listens(proxy, socket.SOCK_STREAM)
        assert not listens(proxy, socket.SOCK_DGRAM)
    await ports.close(None)


async def test_own_ports_are_those_of_the_listeners_that_there_are_and_asked_for_once(
    trust: Trust, monkeypatch: pytest.MonkeyPatch
):
    async with run_proxy(trust, f"https://{LOCAL}") as proxy:
        proxyserver, own, asked = proxy.master.addons.get("proxyserver"), ports.OwnPorts(), 0
        listen_addrs = proxyserver.listen_addrs

        def counted() -> list[tuple[str, int]]:
            nonlocal asked
            asked += 1
            found: list[tuple[str, int]] = listen_addrs()
            return found

        monkeypatch.setattr(proxyserver, "listen_addrs", counted)
        before = own.of(proxyserver)
        assert proxy.reverse_port in before
        assert own.of(proxyserver) == before
        assert asked == 1
        proxy.master.options.update(mode=[*proxy.master.options.mode, f"socks5@{LOCAL}:0"])
        await until(lambda: len(own.of(proxyserver)) > len(before))
        assert own.of(proxyserver) == {port for _, port, *_ in listen_addrs()}
        proxy.master.options.update(server=False)
        await until(lambda: not own.of(proxyserver))


async def test_who_has_connected_to_a_port_that_is_bound_anew_is_accepted(trust: Trust):
    """With the loop kept busy all the while, as by the start."""
    async with run_proxy(trust, f"http://{LOCAL}") as proxy:
        proxyserver = proxy.master.addons.get("proxyserver")
        clients = [socket.create_connection(("127.0.0.1", proxy.reverse_port)) for _ in range(20)]
        assert not proxyserver.connections
        ports.accept_all(proxyserver)
        proxy.master.options.update(server=False)
        await until(lambda: len(proxyserver.connections) == len(clients))
        for client in clients:
            client.close()


async def test_without_a_proxyserver_nothing_is_waited_for(trust: Trust):
    async with run_proxy(trust, f"https://{LOCAL}") as proxy:
        await ClosingPorts(proxy.master.options, None).closed()


async def test_one_that_never_closes_is_not_waited_for(trust: Trust, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ports, "_CLOSING", 0.01)
    began = asyncio.Event()

    async def never() -> None:
        began.set()
        await asyncio.Event().wait()

    async with run_proxy(trust, f"https://{LOCAL}") as proxy:
        closing = ClosingPorts(proxy.master.options, proxy.master.addons.get("proxyserver"))
        closing._waits = [never]
        await closing.closed()
    assert began.is_set()
