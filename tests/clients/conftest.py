"""Only `scripts/test --clients` runs these: it installs the clients and names their folder."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.clients.translating import WAYS, Way, run_bare_proxy, run_way
from tests.end_to_end.conftest import certificates, legacy_simulator, proxy, running_tokenhub, simulator, tokenhub
from tests.end_to_end.processes import LEGACY, Certificates, Proxy, Simulator

__all__ = ["certificates", "legacy_simulator", "proxy", "running_tokenhub", "simulator", "tokenhub"]

collect_ignore_glob = [] if "HUNYUAN_FIX_CLIENTS" in os.environ else ["test_*.py"]


@pytest.fixture(scope="session")
def bare_proxy(certificates: Certificates, legacy_simulator: Simulator) -> Iterator[Proxy]:
    """The same mitmdump on the same way, without the addon."""
    with run_bare_proxy(certificates, LEGACY, legacy_simulator.port) as running:
        yield running


@pytest.fixture(scope="session", params=WAYS)
def running_way(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[Way]:
    with run_way(certificates, request.param) as running:
        yield running


@pytest.fixture
def way(running_way: Way) -> Way:
    """A chat-only endpoint and the proxy that translates for it; nothing in the journal yet."""
    running_way.upstream.reset()
    return running_way
