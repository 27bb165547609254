"""Only `scripts/test --clients` runs these: it installs the clients and names their folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from tests.clients.translating import WAYS, Way, run_way
from tests.end_to_end import processes
from tests.end_to_end.conftest import certificates, legacy_simulator, proxy, simulator
from tests.end_to_end.processes import LEGACY, ROOT, Certificates, Proxy, Simulator

__all__ = ["certificates", "legacy_simulator", "proxy", "simulator"]

collect_ignore_glob = [] if "HUNYUAN_FIX_CLIENTS" in os.environ else ["test_*.py"]


@pytest.fixture(scope="session")
def bare_proxy(certificates: Certificates, legacy_simulator: Simulator) -> Iterator[Proxy]:
    """The same mitmdump on the same way, without the addon."""
    command, reverse_port = processes.proxy_command(certificates)
    addon = command.index(str(ROOT / "addon/hunyuan_fix.py"))
    del command[addon - 1 : addon + 1]
    redirects = json.dumps({f"{LEGACY}:443": legacy_simulator.port})
    with processes.process("bare mitmdump", command, {"HUNYUAN_FIX_TEST_REDIRECTS": redirects}) as started:
        port = int(started.wait_for(r"HTTP\(S\) proxy listening at 127\.0\.0\.1:(\d+)")[1])
        started.wait_for(r"reverse proxy to \S+ listening at")
        yield Proxy(started, port, reverse_port, certificates)


@pytest.fixture(scope="session", params=WAYS)
def running_way(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[Way]:
    with run_way(certificates, request.param) as running:
        yield running


@pytest.fixture
def way(running_way: Way) -> Way:
    """A chat-only endpoint and the proxy that translates for it; nothing in the journal yet."""
    running_way.upstream.reset()
    return running_way
