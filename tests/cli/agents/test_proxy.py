"""The agent's own proxy, where it is started and found. What agents see of it: tests/end_to_end/test_agents.py."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from hunyuan_fix.cli.agents import proxy
from scripts.lib.processes import free_port
from tests.end_to_end.processes import Certificates
from tests.end_to_end.processes import Proxy as Running

TO_NOWHERE = ["--set", "hunyuan_upstream=http://127.0.0.1:9/v1", "--set", "hunyuan_profile=tokenhub"]


@pytest.mark.parametrize("place", [0, 1], ids=["proxy", "reverse proxy"])
def test_a_port_that_another_program_takes_meanwhile_is_no_obstacle(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        chosen = [free_port() for _ in range(3)]
        chosen.insert(place, taken.getsockname()[1])
        ports = iter(chosen)
        monkeypatch.setattr(proxy, "free_port", lambda: next(ports))
        with proxy.own(TO_NOWHERE, confdir=certificates.confdir, log=None, given_up=lambda: False) as (own, process):
            assert (own.port, own.reverse_port) == tuple(chosen[2:])
            assert own.profile == "tokenhub"
            assert not process.ended
    assert process.ended


def test_it_is_not_found_by_a_second_agent_at_the_usual_ports(certificates: Certificates) -> None:
    """It would lose the proxy when the first agent ends."""
    port, reverse_port = free_port(), free_port()
    with proxy.own(TO_NOWHERE, confdir=certificates.confdir, log=None, given_up=lambda: False) as (own, _):
        assert proxy.running(port, reverse_port, certificates.confdir) is None
        assert proxy.running(own.port, own.reverse_port, certificates.confdir) == own


def test_one_that_runs_is_known_by_both_ports_and_its_ca(proxy_that_runs: Running, tmp_path: Path) -> None:
    port, reverse_port = proxy_that_runs.port, proxy_that_runs.reverse_port
    confdir = proxy_that_runs.certificates.confdir
    assert proxy.running(port, reverse_port, confdir) == proxy.Proxy(port, reverse_port, confdir, "hunyuan", True)
    assert proxy.running(port, free_port(), confdir) is None
    assert proxy.running(free_port(), reverse_port, confdir) is None
    assert proxy.running(reverse_port, port, confdir) is None
    assert proxy.running(port, reverse_port, tmp_path) is None  # without a CA


@pytest.fixture
def proxy_that_runs(proxy: Running) -> Running:
    """The fixture, whose name is that of the module here."""
    return proxy
