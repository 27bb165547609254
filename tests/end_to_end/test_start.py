"""Starting mitmdump with the addon as a person does: what it says, where it listens, what it refuses."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.lib.services import free_port
from tests.end_to_end.processes import ROOT, Certificates, clean_environment, process, proxy_command

MITMDUMP = Path(sys.executable).with_name("mitmdump")
ADDON = ROOT / "addon/hunyuan_fix.py"


def start(certificates: Certificates, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the plain command to its end."""
    command = [str(MITMDUMP), "-s", str(ADDON), "--set", f"confdir={certificates.confdir}", *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "hunyuan_cascade=sometimes"], "hunyuan_cascade"),
        (["--set", "hunyuan_max_body=plenty"], "hunyuan_max_body"),
        (["--set", "hunyuan_visoin_model=x"], "hunyuan_visoin_model"),
        (["--set", "stream_large_bodies=1m"], "stream_large_bodies"),
        (["--listen-host", "0.0.0.0"], "proxyauth"),
        (["--mode", "regular@0.0.0.0:0"], "proxyauth"),
    ],
)
def test_a_bad_start_ends_with_one_clear_line(
    certificates: Certificates, tmp_path: Path, arguments: list[str], said: str
) -> None:
    port = ["--listen-port", str(free_port())]
    ended = start(certificates, tmp_path, *port, *arguments)
    assert ended.returncode != 0
    lines = [line for line in (ended.stdout + ended.stderr).splitlines() if said in line]
    assert len(lines) == 1
    assert "Traceback" not in ended.stdout + ended.stderr


def test_the_plain_command_listens_on_loopback_only(certificates: Certificates, tmp_path: Path) -> None:
    port = free_port()
    command = [str(MITMDUMP), "-s", str(ADDON), "--set", f"confdir={certificates.confdir}", "--listen-port", str(port)]
    with process("mitmdump", command) as started:
        started.wait_for(rf"listening at 127\.0\.0\.1:{port}")
        with socket.create_connection(("127.0.0.1", port), timeout=10):
            pass
        for address in other_addresses():
            with pytest.raises(OSError, match="refused"):
                socket.create_connection((address, port), timeout=10)


def other_addresses() -> set[str]:
    """This machine's addresses beyond 127.0.0.1; 127.0.0.2 is bound with "all interfaces" on Linux."""
    own = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    linux = {"127.0.0.2"} if sys.platform == "linux" else set()
    return {str(address) for address in own} - {"127.0.0.1"} | linux


def test_it_ends_cleanly_when_told_to(certificates: Certificates) -> None:
    command, _ = proxy_command(certificates)
    with process("mitmdump", command, {"HUNYUAN_FIX_TEST_REDIRECTS": "{}"}) as started:
        started.wait_for(r"reverse proxy to \S+ listening")
        started.terminate()
        assert started.wait() == 0
        assert not re.search("Traceback|Error", started.output)
