"""Only `scripts/test --clients` runs these: it installs the clients and names their folder."""

from __future__ import annotations

import os
import shlex
import sys
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
    """An endpoint and the proxy before it; nothing in the journal yet."""
    running_way.upstream.reset()
    return running_way


SEARCH_PROGRAM = """
import json, sys
print(json.dumps([{"url": "https://trees.example/cedar", "title": "Cedars", "content": "All about " + sys.argv[1]}]))
"""


@pytest.fixture(scope="session", params=["hunyuan", "tokenhub"])
def searching(
    request: pytest.FixtureRequest, certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Way]:
    """An endpoint, and a proxy that has a program for searches of the web."""
    program = tmp_path_factory.mktemp("search") / "search.py"
    program.write_text(SEARCH_PROGRAM)
    command = shlex.join([sys.executable, str(program), "{query}"])
    with run_way(certificates, request.param, options=[f"hunyuan_search_command={command}"]) as running:
        yield running
