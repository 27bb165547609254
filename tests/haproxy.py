"""A real HAProxy for the tests, in TCP mode: it passes bytes on, and the proxy behind it sees no client's address.

Without the program these tests fail: `scripts/test` finds or installs it (scripts/lib/haproxy.sh).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from scripts.lib.processes import free_port

_START_TIMEOUT = 30.0
_CONFIGURATION = """\
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen balanced
    bind *:{port}
    server proxy 127.0.0.1:{behind}{sends}
"""


def haproxy_program() -> str:
    """The program. Fails the test, with what to do, where there is none."""
    program = os.environ.get("HUNYUAN_FIX_HAPROXY") or shutil.which("haproxy") or shutil.which("/usr/sbin/haproxy")
    assert program, "no haproxy here: scripts/test installs one, or set HUNYUAN_FIX_HAPROXY=/path/to/haproxy"
    return program


@contextmanager
def balanced(port_behind: int, folder: Path, sends: str = "") -> Iterator[int]:
    """HAProxy in TCP mode before 127.0.0.1:`port_behind`; its port, on all addresses.

    `sends`: further words of its `server` line, such as `send-proxy`.
    """
    port = free_port()
    configuration = folder / f"haproxy-{port}.cfg"
    words = f" {sends}" if sends else ""
    configuration.write_text(_CONFIGURATION.format(port=port, behind=port_behind, sends=words))
    log = configuration.with_suffix(".log")
    with log.open("ab") as output:
        started = subprocess.Popen([haproxy_program(), "-db", "-f", str(configuration)], stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + _START_TIMEOUT
        while not _listens(port):
            assert started.poll() is None, log.read_text()
            assert time.monotonic() < deadline, f"HAProxy doesn't listen: {log.read_text()}"
            time.sleep(0.01)
        yield port
    finally:
        started.kill()
        started.wait()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture
def haproxy(tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Starts one: `balanced`, without its folder. All are ended with the test."""
    with ExitStack() as running:
        yield lambda port_behind, sends="": running.enter_context(balanced(port_behind, tmp_path, sends))
