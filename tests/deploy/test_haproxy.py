"""deploy/haproxy: what HAProxy says of its configuration, and that it asks what the proxy answers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hunyuan_fix.cli.addresses import PORT, REVERSE_PORT
from hunyuan_fix.observe.admin.settings import PORT as ADMIN_PORT
from tests.deploy.programs import DEPLOY, found, judged

FILE = DEPLOY / "haproxy/haproxy.cfg"
TEXT = FILE.read_text("utf-8")


def test_haproxy_takes_it_without_a_warning() -> None:
    said = judged(found("haproxy"), "-c", "-f", FILE)
    assert not re.search(r"WARNING|ALERT", said), said


def test_a_fault_is_found(tmp_path: Path) -> None:
    broken = tmp_path / "haproxy.cfg"
    broken.write_text(TEXT.replace("option httpchk", "option httpcheck"), "utf-8")
    with pytest.raises(AssertionError, match="httpcheck"):
        judged(found("haproxy"), "-c", "-f", broken)


def test_bytes_pass_as_they_are_to_the_ports_of_the_proxy() -> None:
    assert re.findall(r"^\s+mode (\w+)$", TEXT, re.MULTILINE) == ["tcp"]
    ports = re.findall(r"^\s+bind :(\d+)$", TEXT, re.MULTILINE)
    assert [*map(int, ports)] == [REVERSE_PORT, PORT]
    for port, section in zip(ports, TEXT.split("\nlisten ")[1:], strict=True):
        servers = re.findall(r"^\s+server (\w+) 192\.0\.2\.\d+:(\d+)$", section, re.MULTILINE)
        assert [name for name, _ in servers] == ["proxy1", "proxy2"]
        assert {to for _, to in servers} == {port}


def test_it_asks_whether_a_machine_takes_requests() -> None:
    assert re.search(r"^\s+option httpchk GET /readyz$", TEXT, re.MULTILINE)
    assert re.search(rf"^\s+default-server check port {ADMIN_PORT} ", TEXT, re.MULTILINE)


def test_a_stream_that_is_silent_for_a_while_is_not_cut() -> None:
    """Vendors' thinking models may be silent for minutes before their headers (docs/facts)."""
    for side in ("client", "server"):
        minutes = re.search(rf"^\s+timeout {side} (\d+)m$", TEXT, re.MULTILINE)
        assert minutes
        assert int(minutes[1]) >= 15
