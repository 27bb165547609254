"""Check everything that goes wrong for newcomers, and say how to fix it: `hunyuan-fix doctor`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from ... import options
from ...config.option import OptionError
from ...config.values import BaseUrl
from .. import addresses
from . import (
    authority,
    clients,
    connections,
    listeners,
    report,
    variables,
    versions,
)
from .situation import Finding, Situation, proxy_url

CHECKS: tuple[Callable[[Situation], Finding | None], ...] = (
    versions.python,
    versions.mitmproxy,
    authority.usable,
    connections.proxy_port,
    connections.reverse_port,
    connections.decryption,
    connections.endpoint,
    connections.key,
    variables.https_proxy,
    variables.no_proxy,
    authority.in_system_store,
    clients.curl,
    clients.python,
    clients.node,
)
"""In the order of the report. A check returns `None` where its subject isn't there, e.g. a program."""

_USAGE = """\
Checks what goes wrong for newcomers and says how to fix it, one line for each check. Run it in the shell that
clients are started from: it sees their variables. Sends one request without a key through the proxy.

Exit status: 0 no problem (warnings at most), 1 problems, 2 wrong usage."""


def parse(arguments: Sequence[str], prefix: str) -> argparse.Namespace:
    """Read the command line. Exits with a usage error."""
    parser = argparse.ArgumentParser(
        f"{prefix}doctor",
        description=_USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    addresses.add_port(parser)
    addresses.add_reverse_port(parser)
    addresses.add_confdir(parser)
    endpoint = f"{addresses.ENDPOINT}/v1"
    parser.add_argument(
        "--upstream",
        type=_base_url,
        default=endpoint,
        metavar="URL",
        help=f"the clients' base URL (default {endpoint})",
    )
    parser.add_argument(
        "--online", action="store_true", help="also check the key in HUNYUAN_API_KEY, by a call for one token"
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    return parser.parse_args(arguments)


def _base_url(text: str) -> BaseUrl:
    try:
        url = options.parse({"hunyuan_upstream": text}).upstream
    except OptionError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("hunyuan_upstream=")) from None
    if url is None:
        raise argparse.ArgumentTypeError("a base URL is needed")
    return url


def situation_of(given: argparse.Namespace, environment: Mapping[str, str], prefix: str) -> Situation:
    """What the checks examine, according to the command line."""
    return Situation(
        port=given.port,
        reverse_port=given.reverse_port,
        confdir=given.confdir.expanduser().absolute(),
        upstream=given.upstream,
        online=given.online,
        environment=environment,
        prefix=prefix,
        proxy=listeners.at_proxy(proxy_url(environment, given.port), given.port),
        reverse=listeners.at_reverse_proxy(given.reverse_port),
    )


def examine(situation: Situation) -> Iterator[Finding]:
    """Run every check, several at a time; the findings in the order of the table."""
    with ThreadPoolExecutor() as pool:
        yield from filter(None, pool.map(lambda check: check(situation), CHECKS))


def main(arguments: Sequence[str], prefix: str) -> int:
    """Examine and report."""
    given = parse(arguments, prefix)
    findings = examine(situation_of(given, os.environ, prefix))
    done = report.write_json(findings) if given.json else report.write(findings)
    return 1 if report.count(done, "problem") else 0
