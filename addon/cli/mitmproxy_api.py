"""Everything that the commands use of mitmproxy: its programs, its certificates, its flow files.

No other file of this folder imports it. mitmproxy's programs are imported when one is started: that takes a second, and
`env` runs whenever a shell starts.
"""

from __future__ import annotations

import argparse
import io
import ipaddress
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509

from ..hooks import authority

if TYPE_CHECKING:
    from mitmproxy.options import Options


class DamagedFlow(Exception):
    """A flow file that ends within a flow, or holds something else."""


def run_tool(tool: str, arguments: Sequence[str], check: Callable[[argparse.ArgumentParser], None]) -> None:
    """Run `mitmdump` or `mitmweb` in this process until it ends.

    `check` is called with the program's own argument parser before it reads `arguments` and starts anything; it may
    change the parser and may exit.
    """
    from mitmproxy.tools import cmdline  # noqa: PLC0415
    from mitmproxy.tools import main as tools  # noqa: PLC0415

    make_parser = getattr(cmdline, tool)

    def checked(options: Options) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = make_parser(options)
        check(parser)
        return parser

    # mitmproxy looks its parser up in this module when it starts.
    setattr(cmdline, tool, checked)
    getattr(tools, tool)(arguments)


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
