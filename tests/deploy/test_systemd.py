"""deploy/systemd: what systemd itself says of the unit, and how much it lets the service do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy import deployments as read
from tests.deploy.programs import BIN, found, judged

HARDENED = """
NoNewPrivileges=yes CapabilityBoundingSet= AmbientCapabilities= ProtectSystem=strict ProtectHome=yes PrivateTmp=yes
PrivateDevices=yes PrivateUsers=yes ProtectClock=yes ProtectControlGroups=yes ProtectHostname=yes ProtectKernelLogs=yes
ProtectKernelModules=yes ProtectKernelTunables=yes ProtectProc=invisible RemoveIPC=yes LockPersonality=yes
RestrictNamespaces=yes RestrictRealtime=yes RestrictSUIDSGID=yes SystemCallArchitectures=native
SystemCallErrorNumber=EPERM UMask=0077
"""
"""Settings that no change may take away unnoticed: the figure below hardly moves for one of them."""
EXPOSED = 20
"""Of 100; systemd calls up to 20 "OK" and nothing better than that."""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with a program that is there: systemd looks for it."""
    text = read.UNIT.read_text("utf-8")
    assert "/opt/hunyuan-fix/bin/" in text
    changed = tmp_path / read.UNIT.name
    changed.write_text(text.replace("/opt/hunyuan-fix/bin/", f"{BIN}/"), "utf-8")
    return changed


def test_systemd_takes_the_unit(unit: Path) -> None:
    """It warns of a setting that it doesn't know, and goes on: so it must say nothing."""
    assert judged(found("systemd-analyze"), "verify", "--man=no", unit) == ""


def test_a_fault_is_found(unit: Path) -> None:
    unit.write_text(unit.read_text("utf-8").replace("TimeoutStopSec", "TimeoutEndSec"), "utf-8")
    assert "TimeoutEndSec" in judged(found("systemd-analyze"), "verify", "--man=no", unit)


def test_the_service_may_do_little(unit: Path) -> None:
    """`security` fails above the threshold."""
    assert read.UNIT.name in judged(
        found("systemd-analyze"), "security", "--offline=true", f"--threshold={EXPOSED}", unit
    )


def test_nothing_that_it_may_not_do_is_allowed_by_a_change() -> None:
    given = {f"{name}={value}" for name, value in read.settings(read.UNIT.read_text("utf-8"))}
    assert {*HARDENED.split()} - given == set()


def test_it_is_no_root_and_its_folder_is_its_own() -> None:
    unit = dict(read.settings(read.UNIT.read_text("utf-8")))
    assert unit["User"] == unit["Group"] == "hunyuan-fix"
    assert unit["StateDirectory"] == "hunyuan-fix"
    assert unit["StateDirectoryMode"] == "0700"
    assert read.by_systemd().environment["HOME"] == "/var/lib/hunyuan-fix"


def test_a_reload_is_the_signal_for_new_workers_and_the_end_is_the_parents_to_pass_on() -> None:
    unit = dict(read.settings(read.UNIT.read_text("utf-8")))
    assert unit["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert unit["KillMode"] == "mixed"
    assert unit.get("KillSignal", "SIGTERM") == "SIGTERM"
