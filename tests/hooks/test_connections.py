"""Who may connect, and what is said. The other hooks are shown with mitmproxy around them: test_hunyuan_fix,
test_arrival, end_to_end. Who comes while mitmproxy starts: test_starting.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.test import taddons, tflow

from hunyuan_fix.hooks.connections import Connections
from hunyuan_fix.hunyuan_fix import HunyuanFix
from hunyuan_fix.observe.admin.settings import Address, AdminSettings

LEGACY = "reverse:https://api.hunyuan.cloud.tencent.com@4000"


def test_nobody_from_elsewhere_is_let_in_before_the_port_is_bound_to_this_machine():
    fix = HunyuanFix()
    with taddons.context(fix):
        client = tflow.tclient_conn()
        client.sockname = ("192.0.2.1", 8080)
        assert Connections(fix).client_connected(client) is None
    assert client.error == "No listen address was given: only this machine may connect."


@pytest.mark.parametrize(
    ("mode", "address", "refused"),
    [
        ("socks5", "192.0.2.7", True),
        ("regular", "192.0.2.7", True),
        ("reverse:http://h", "192.0.2.7", True),
        ("transparent", "192.0.2.7", True),
        ("socks5", "127.0.0.1", False),
        ("wireguard", "10.0.0.2", False),
        ("local", "192.0.2.7", False),
    ],
)
def test_a_client_on_another_machine_gets_no_upstream_before_it_has_authenticated(
    mode: str, address: str, refused: bool
):
    fix = HunyuanFix()
    connections = Connections(fix)
    with taddons.context(fix):
        client = tflow.tclient_conn()
        client.proxy_mode, client.peername, client.sockname = ProxyMode.parse(mode), (address, 1), ("127.0.0.1", 8080)
        waiting = connections.client_connected(client)
        if waiting is not None:
            waiting.close()  # type: ignore[attr-defined]  # mitmproxy has not started
        for requires_token in (True, False):
            fix.requires_token = requires_token
            to = ServerConnectionHookData(tflow.tserver_conn(), client)
            connections.server_connect(to)
            assert (to.server.error == "The client has sent no token.") == (refused and requires_token)


async def test_no_client_of_another_machine_reaches_the_admin_server_by_the_proxy():
    """There it would be a client on this machine, by whatever name: one that resolves to it is no loopback name."""
    fix = HunyuanFix()
    connections = Connections(fix)
    with taddons.context(fix):
        fix.runtime.admin.configure(AdminSettings(admin=Address("127.0.0.1", 0)))
        fix.runtime.admin.start()
        assert fix.runtime.admin.address is not None
        port = fix.runtime.admin.address.port
        cases = (
            ("192.0.2.7", port, True, True),
            ("192.0.2.7", 443, True, False),
            ("127.0.0.1", port, True, False),
            ("127.0.0.1", port, False, True),
        )
        for peer, to_port, trust, refused in cases:
            fix.settings = replace(fix.settings, trust_loopback=trust)
            for host in ("127.0.0.1", "localhost", "rebound.example"):
                client, server = tflow.tclient_conn(), tflow.tserver_conn()
                client.peername, server.address = (peer, 1), (host, to_port)
                to = ServerConnectionHookData(server, client)
                connections.server_connect(to)
                assert bool(to.server.error) == refused, (peer, host, trust)
        await fix.runtime.aclose()


@pytest.mark.parametrize(
    ("mode", "upstream", "loud"),
    [
        (LEGACY, "", True),
        (LEGACY, "https://tokenhub.tencentmaas.com/v1", False),
        ("reverse:https://API.hunyuan.cloud.tencent.com@4000", "", True),
        ("reverse:https://tokenhub.tencentmaas.com@4000", "", False),
        ("regular@8080", "", True),
        ("regular@8080", "successor", False),
        ("dns", "", False),
    ],
)
def test_the_dead_platform_is_told_of_in_one_line_where_clients_can_address_it(
    caplog: pytest.LogCaptureFixture, mode: str, upstream: str, loud: bool
):
    caplog.set_level(logging.WARNING)
    fix = HunyuanFix()
    with taddons.context(fix) as context:
        context.configure(fix, mode=[mode], hunyuan_upstream=upstream)
        connections = Connections(fix)
        connections.running()
        connections.done()
    said = [line for line in caplog.messages if "SHUT DOWN" in line]
    assert len(said) == loud
    for line in said:
        assert line.startswith("api.hunyuan.cloud.tencent.com WAS")
        assert "--set hunyuan_upstream=https://tokenhub.tencentmaas.com/v1" in line
        assert "2026-09-30" in line
        assert "\n" not in line
