"""What a start with default options loads: what costs time and memory waits for its first use.

`sqlite3` is loaded: the store is on by default, and it costs 2 ms and 1 MB.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from scripts.lib.processes import free_port
from tests.end_to_end.processes import Certificates, clean_environment
from tests.end_to_end.test_start import ADDON, MITMDUMP

WAIT_FOR_THEIR_USE = {
    "httpx": "the first vision call, embedding batch or relayed call",
    "httpcore": "the same",
    "tornado": "the admin server, which is on by default: 50 ms and 7 MB; hunyuan_retry=all",
    "limits": "a client token with a limit",
    "pypdf": "the first PDF in a request",
    "prometheus_client": "the first scrape of /metrics",
    "redis": "hunyuan_store=redis://…",
    "hunyuan_fix.simulator": "no option",
}

SHOW = """
import sys
from mitmproxy import ctx

def running():
    print("LOADED", *sorted(sys.modules), flush=True)
    ctx.master.shutdown()
"""


def loaded(certificates: Certificates, folder: Path, *scripts: Path, admin: str = "off") -> set[str]:
    show = folder / "show.py"
    show.write_text(SHOW)
    command = [str(MITMDUMP), "-q", "--listen-port", str(free_port()), "--set", f"confdir={certificates.confdir}"]
    for script in (*scripts, show):
        command += ["-s", str(script)]
    run = subprocess.run(
        command,
        cwd=folder,
        env=clean_environment() | {"HUNYUAN_ADMIN": admin},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    (line,) = [line for line in run.stdout.splitlines() if line.startswith("LOADED ")]
    return set(line.split()[1:])


def test_what_is_loaded_at_the_start(certificates: Certificates, tmp_path: Path) -> None:
    without, with_addon = loaded(certificates, tmp_path), loaded(certificates, tmp_path, ADDON)
    ours = with_addon - without
    assert "hunyuan_fix.pipeline" in ours
    assert {name for name in WAIT_FOR_THEIR_USE if name in ours} == set()
    with_server = loaded(certificates, tmp_path, ADDON, admin="127.0.0.1:0") - without
    assert {name for name in WAIT_FOR_THEIR_USE if name in with_server} == {"tornado"}
