"""Check everything that goes wrong for newcomers, and say how to fix it: `hunyuan-fix doctor`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ... import options
from ...config.option import OptionError
from ...config.values import BaseUrl
from .. import addresses
from . import (
    authority,
    clients,
    connections,
    listeners,
    live,
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

With --live it asks the endpoint itself what it takes: at most 12 calls of a few tokens each, with the key of the
vendor's variable (MOONSHOT_API_KEY, ZENMUX_API_KEY ...), else HUNYUAN_API_KEY. It prints that beside what the profile
says, and writes the differences to a file in your folder of profiles, which the proxy reads.

Exit status: 0 no problem (warnings at most; with --live: examined, differences written), 1 problems, 2 wrong usage."""


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
    live_ = parser.add_argument_group("what the endpoint takes")
    live_.add_argument("--live", action="store_true", help="ask the endpoint of --upstream")
    live_.add_argument("--model", metavar="ID", help="the model to ask (default: the profile's text model)")
    live_.add_argument("--profile", metavar="NAME", help="what it is held against (default: the profile of the host)")
    live_.add_argument("--profiles", type=Path, metavar="FOLDER", help="your folder of profiles (as hunyuan_profiles)")
    live_.add_argument("--dry", action="store_true", help="write nothing")
    live_.add_argument("--live-plan", action="store_true", help="also at a plan, whose terms forbid calls like these")
    given = parser.parse_args(arguments)
    if not given.live and (given.model or given.profile or given.profiles or given.dry or given.live_plan):
        parser.error("--model, --profile, --profiles, --dry and --live-plan need --live")
    return given


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
    if given.live:
        folder = given.profiles.expanduser().absolute() if given.profiles else None
        wanted = live.Wanted(given.profile, given.model, folder, plan_too=given.live_plan, write=not given.dry)
        return live.main(situation_of(given, os.environ, prefix), wanted, as_json=given.json)
    findings = examine(situation_of(given, os.environ, prefix))
    done = report.write_json(findings) if given.json else report.write(findings)
    return 1 if report.count(done, "problem") else 0
