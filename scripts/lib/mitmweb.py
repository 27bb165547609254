"""mitmweb with the addon, for what looks at its page."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.lib import processes


@dataclass(frozen=True, slots=True)
class Mitmweb:
    """A running mitmweb."""

    process: processes.RunningProcess
    page: str
    """The address of its page, with the token that lets one in."""
    port: int
    """Of the proxy."""

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
