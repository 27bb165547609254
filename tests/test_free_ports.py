"""Ports that tests name to what they start: free, and nobody else's until it listens."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from scripts.lib.processes import free_port
from tests.end_to_end.processes import ROOT

SHOW = "import json; from scripts.lib.processes import free_port; print(json.dumps([free_port() for _ in range(2000)]))"


def test_none_comes_twice():
    ports = [free_port() for _ in range(500)]
    assert len(set(ports)) == len(ports)


def test_workers_share_none():
    shown = []
    for worker in ("gw0", "gw1", "gw2"):
        given = {**os.environ, "PYTEST_XDIST_WORKER": worker, "PYTEST_XDIST_WORKER_COUNT": "3"}
        done = subprocess.run([sys.executable, "-c", SHOW], cwd=ROOT, env=given, capture_output=True, check=True)
        shown.append(set(json.loads(done.stdout)))
    assert [len(ports) for ports in shown] == [2000] * 3
    assert len(set.union(*shown)) == 6000
