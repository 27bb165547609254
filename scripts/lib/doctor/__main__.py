"""Look at everything that goes wrong for newcomers, and say how to mend it: `scripts/doctor`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hunyuan_fix import options
from hunyuan_fix.config.option import OptionError
from hunyuan_fix.config.values import BaseUrl
from scripts.lib import launch
from scripts.lib.doctor import (
    authority,
    clients,
    connections,
    listeners,
    report,
    variables,
    versions,
)
from scripts.lib.doctor.situation import Finding, Situation, proxy_url

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
"""In the order of the report. Each looks at one thing; `None` where there is nothing to look at."""

USAGE = """\
Looks at what goes wrong for newcomers and says how to mend it, one line for each thing. Run it in the shell
that clients are started from: it sees their variables. Sends one request without a key through the proxy.

Exit status: 0 no problem (warnings at most), 1 problems, 2 wrong usage."""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line. Exits with a usage error."""
    parser = argparse.ArgumentParser(
        "scripts/doctor",
        description=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    launch.add_port(parser)
    launch.add_reverse_port(parser)
    parser.add_argument(
        "--confdir", type=Path, default=Path(launch.CONFDIR), help=f"mitmproxy's folder (default {launch.CONFDIR})"
    )
    endpoint = f"{launch.ENDPOINT}/v1"
    parser.add_argument(
        "--upstream",
        type=_base_url,
        default=endpoint,
        metavar="URL",
        help=f"the clients' base URL (default {endpoint})",
    )
    parser.add_argument(
        "--online", action="store_true", help="also try the key in HUNYUAN_API_KEY, with a call for one token"
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    return parser.parse_args(arguments)


def _base_url(text: str) -> BaseUrl:
    try:
        url = options.parse({"hunyuan_upstream": text}).upstream
    except OptionError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("hunyuan_upstream=")) from None
    if url is None:
        raise argparse.ArgumentTypeError("a base URL is needed")
    return url


def situation_of(given: argparse.Namespace, environment: Mapping[str, str]) -> Situation:
    """What the checks look at, by the command line."""
    return Situation(
        port=given.port,
        reverse_port=given.reverse_port,
        confdir=given.confdir.expanduser().absolute(),
        upstream=given.upstream,
        online=given.online,
        environment=environment,
        proxy=listeners.at_proxy(proxy_url(environment, given.port), given.port),
        reverse=listeners.at_reverse_proxy(given.reverse_port),
    )


def examine(situation: Situation) -> Iterator[Finding]:
    """Run every check, several at a time; the findings in the order of the table."""
    with ThreadPoolExecutor() as pool:
        yield from filter(None, pool.map(lambda check: check(situation), CHECKS))


def main() -> None:
    """Examine, report, exit."""
    given = parse(sys.argv[1:])
    # The script's own, for this module to be found; no client may see it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    findings = examine(situation_of(given, environment))
    done = report.write_json(findings) if given.json else report.write(findings)
    sys.exit(1 if report.count(done, "problem") else 0)


if __name__ == "__main__":
    main()
