"""mitmweb with the addon, for what looks at its page."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hunyuan_fix.cli.addresses import PORT, REVERSE_PORT, WEB_PORT, free_port, port_is_free
from scripts.lib import processes

REDIRECT = processes.ROOT / "tests" / "end_to_end" / "redirect.py"
"""A script for mitmproxy: connections to real host names end at local ports."""
_REDIRECTS = "HUNYUAN_FIX_TEST_REDIRECTS"


@dataclass(frozen=True, slots=True)
class Mitmweb:
    """A running mitmweb."""

    process: processes.RunningProcess
    page: str
    """The address of its page, with the token that lets one in."""
    port: int
    """Of the proxy."""
    reverse_port: int = 0
    """Of the reverse proxy; 0: there is none."""
    admin: str = ""
    """The URL of the admin server, without a slash at its end; `""`: it isn't known."""

    @property
    def reverse_url(self) -> str:
        """The reverse proxy's address, without a path."""
        return f"http://127.0.0.1:{self.reverse_port}"

    @property
    def ca(self) -> Path:
        """What a client of `run_web` must trust."""
        return self.process.log.parent / ".mitmproxy" / "mitmproxy-ca-cert.pem"

    @property
    def url(self) -> str:
        """The proxy's address for a client."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def mitmweb(folder: Path, *arguments: str) -> Iterator[Mitmweb]:
    """Run mitmweb with the addon as a proxy on free ports of 127.0.0.1, with a confdir in `folder`."""
    page_port = processes.free_port()
    command = [str(Path(sys.executable).with_name("mitmweb")), "--mode", "regular@127.0.0.1:0"]
    command += ["-s", str(processes.ADDON), "--set", "hunyuan_store=memory"]
    command += ["--no-web-open-browser", "--web-host", "127.0.0.1"]
    command += ["--web-port", str(page_port), "--set", f"confdir={folder / 'mitmproxy'}", *arguments]
    with processes.run("mitmweb", command, folder) as running:
        page = running.wait_for(rf"Web server listening at (http://127\.0\.0\.1:{page_port}/\?token=\w+)")[1]
        port = int(running.wait_for(r"HTTP\(S\) proxy listening at 127\.0\.0\.1:(\d+)")[1])
        yield Mitmweb(running, page, port)


@contextmanager
def run_web(folder: Path, ca: Path, redirects: Mapping[str, int], *arguments: str) -> Iterator[Mitmweb]:
    """Run `hunyuan-fix run --web` as a user does, all that it keeps in `folder`, its ports the usual ones if they are
    free. `redirects`: "host:port" -> the local port that it leads to, where a certificate of `ca` (PEM) is trusted.
    """
    ports = [port if port_is_free(port) else free_port() for port in (PORT, REVERSE_PORT, WEB_PORT)]
    # Not by the environment of this process: `processes.run` keeps its own options and data away.
    command = ["env", f"{_REDIRECTS}={json.dumps(dict(redirects))}"]
    command += [f"HOME={folder}", f"XDG_DATA_HOME={folder / 'data'}", f"XDG_CONFIG_HOME={folder / 'config'}"]
    command += [sys.executable, "-P", "-m", "hunyuan_fix.cli.main", "run", "--web"]
    command += ["--port", str(ports[0]), "--reverse-port", str(ports[1]), "--web-port", str(ports[2])]
    command += ["--no-web-open-browser", "-s", str(REDIRECT), "--set", f"ssl_verify_upstream_trusted_ca={ca}"]
    command += ["--set", "hunyuan_store=memory", *arguments]
    with processes.run("run", command, folder) as running:
        page = running.wait_for(rf"Web server listening at (http://127\.0\.0\.1:{ports[2]}/\?token=\w+)")[1]
        running.wait_for(rf"http://127\.0\.0\.1:{ports[1]}/v1[^\n]*\n(?s:.*)Ctrl-C")
        admin = running.wait_for(r"(?:what goes on:|当前情况：)\s*(http://\S+?)/\s")[1]
        yield Mitmweb(running, page, ports[0], ports[1], admin)
