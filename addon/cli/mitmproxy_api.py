"""Everything that the commands use of mitmproxy: its programs, its certificates, its flow files.

No other file of this folder imports it. mitmproxy's programs are imported when one is started: that takes a second, and
`env` runs whenever a shell starts.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import ipaddress
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, cast

from cryptography import x509

from ..hooks import authority

if TYPE_CHECKING:
    from mitmproxy.options import Options
    from mitmproxy.tools.web.master import WebMaster

    from ..hooks.connections import InForce


class DamagedFlow(Exception):
    """A flow file that ends within a flow, or holds something else."""


class Served(Protocol):
    """What is told of the proxy that `run_tool` runs."""

    async def ready(self, addon: InForce) -> None:
        """Clients are served, by this addon. Called once, after everything that can end the start."""

    def changed(self, addon: InForce) -> None:
        """Options have changed since."""

    async def done(self) -> None:
        """The proxy ends: the addon has done so already."""


class _Watch:
    """A mitmproxy addon that tells `served` what it is told. It is added after all others."""

    name = "hunyuan_run"

    def __init__(self, served: Served) -> None:
        self._served = served
        self._telling: asyncio.Task[None] | None = None
        self._is_ready = False

    def running(self) -> None:
        # Ports are open by now, and the addon has heard of it. Errors of the last addons, such as mitmweb's page whose
        # port is taken, end the start after this hook.
        self._telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        addon = self._addon()
        if addon is not None and await addon.process.starting.wait() is None:
            self._is_ready = True
            await self._served.ready(addon)

    def configure(self, updated: set[str]) -> None:
        addon = self._addon()
        if self._is_ready and addon is not None:
            self._served.changed(addon)

    async def done(self) -> None:
        # Called after the addon's, which comes before it: no exchange is under way any more.
        if self._is_ready:
            await self._served.done()

    @staticmethod
    def _addon() -> InForce | None:
        from mitmproxy import ctx  # noqa: PLC0415 - see above

        addon: InForce | None = ctx.master.addons.get("hunyuan_fix")
        return addon


def run_tool(
    tool: str,
    arguments: Sequence[str],
    check: Callable[[argparse.ArgumentParser], None],
    *,
    defaults: Mapping[str, str] = MappingProxyType({}),
    served: Served | None = None,
) -> None:
    """Run `mitmdump` or `mitmweb` in this process until it ends.

    `check` is called with the program's own argument parser before it reads `arguments` and starts anything; it may
    change the parser and may exit. `defaults`: values of the addon's options for which nothing else has one, not even
    mitmproxy's config.yaml. mitmproxy's lines that name its ports and scripts are
    left out unless it is told to be verbose.
    """
    from mitmproxy.tools import cmdline  # noqa: PLC0415
    from mitmproxy.tools import main as tools  # noqa: PLC0415

    make_parser = getattr(cmdline, tool)

    def checked(options: Options) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = make_parser(options)
        check(parser)
        # What config.yaml and --set give for options that are declared later is put over these next.
        options.deferred.update(defaults)
        for logger in _CHATTY:
            logging.getLogger(logger).addFilter(lambda record: record.levelno > logging.INFO or is_verbose(options))
        from mitmproxy import ctx  # noqa: PLC0415

        if served is not None:
            ctx.master.addons.add(_Watch(served))
        if tool == "mitmweb":
            from . import mitmweb_style  # noqa: PLC0415

            mitmweb_style.add(cast("WebMaster", ctx.master).app)
        return parser

    # mitmproxy looks its parser up in this module when it starts.
    setattr(cmdline, tool, checked)
    with _arguments_of_the_process(arguments):
        getattr(tools, tool)(arguments)


@contextmanager
def _arguments_of_the_process(arguments: Sequence[str]) -> Iterator[None]:
    """Let `sys.argv` say `arguments`: mitmproxy and the addon look there for what was given on the command line."""
    before = sys.argv
    sys.argv = [sys.argv[0], *arguments]
    try:
        yield
    finally:
        sys.argv = before


_CHATTY = ("mitmproxy.proxy.mode_servers", "mitmproxy.addons.script")
"""The loggers of `HTTP(S) proxy listening at …`, `reverse proxy to … stopped` and `Loading script …`."""


def is_verbose(options: Options) -> bool:
    """Whether mitmproxy was told to be verbose (`-v`)."""
    return bool(options.termlog_verbosity == "debug")


def command(tool: str) -> list[str]:
    """The beginning of a command that runs `mitmdump` or `mitmweb` as a process.

    The program's file isn't used: its place differs between systems and ways to install.
    """
    return [sys.executable, "-P", "-c", f"from mitmproxy.tools.main import {tool}; {tool}()"]


def certificate_for(confdir: Path, address: str) -> bytes:
    """A certificate (PEM) for the IP address `address` by the CA in `confdir`; its key is the CA's own.

    Raises `OSError`, and `ValueError` for a CA that can't be read.
    """
    from mitmproxy.certs import CertStore  # noqa: PLC0415

    store = CertStore.from_files(authority.key_file(confdir), confdir / f"{authority.NAME}-dhparam.pem")
    return store.get_cert(None, [x509.IPAddress(ipaddress.ip_address(address))]).cert.to_pem()


@dataclass(frozen=True, slots=True)
class SavedRequest:
    """The request of a saved HTTP flow. `body` is in its `content_encoding`."""

    method: str
    host: str
    path: str
    content_encoding: str
    body: bytes
    metadata: Mapping[str, object]
    """What addons kept with the flow, by name."""


def saved_requests(data: bytes) -> Iterator[SavedRequest | None]:
    """The request of each flow in a flow file's bytes; `None` for a flow that isn't HTTP.

    Raises `DamagedFlow` at the first item that is not a flow.
    """
    from mitmproxy.exceptions import FlowReadException  # noqa: PLC0415
    from mitmproxy.http import HTTPFlow  # noqa: PLC0415
    from mitmproxy.io import FlowReader  # noqa: PLC0415

    flows = iter(FlowReader(io.BytesIO(data)).stream())
    while True:
        try:
            flow = next(flows, None)
        except (FlowReadException, LookupError, AssertionError, AttributeError, TypeError, ValueError):
            # Other exceptions too: mitmproxy builds a flow from what it has read without checking it.
            raise DamagedFlow from None  # its text quotes the data
        if flow is None:
            return
        if not isinstance(flow, HTTPFlow):
            yield None
            continue
        request = flow.request
        encoding = request.headers.get("content-encoding", "")
        yield SavedRequest(
            request.method, request.host, request.path, encoding, request.raw_content or b"", flow.metadata
        )
