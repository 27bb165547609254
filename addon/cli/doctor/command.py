"""Check everything that goes wrong for newcomers, and say how to fix it: `hunyuan-fix doctor`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from ... import options, profiles
from ...config.option import OptionError
from ...config.values import BaseUrl
from ...texts.terminal import say
from .. import addresses, state
from ..arguments import Parser, wrapped
from ..state import Running
from . import (
    admin,
    authority,
    client_settings,
    clients,
    connections,
    fixes,
    keys_given,
    listeners,
    live,
    native,
    report,
    trust,
    variables,
    versions,
)
from .listeners import Listener, Route
from .situation import Finding, Situation, proxy_url

_WIDTH = 110
"""Columns of the text above the options."""

type Check = Callable[[Situation], Finding | Iterable[Finding] | None]

PROXY: tuple[Check, ...] = (
    connections.proxy_port,
    versions.running,
    connections.mode,
    connections.reverse_port,
    connections.endpoint,
    connections.key,
    admin.well,
    admin.plugins,
    admin.keys,
    keys_given.given_key,
    variables.given_upstream,
    variables.given_base_urls,
    client_settings.client_settings,
    variables.http_proxy,
    versions.python,
    versions.mitmproxy,
    authority.usable,
)
"""For every client, in the order of the report. A check gives `None` where its subject isn't there."""
NATIVE: tuple[Check, ...] = (native.credentials, native.clock)
"""Only with `--native`: for Tencent Cloud's own API."""
HTTPS_PROXY: tuple[Check, ...] = (
    connections.decryption,
    variables.https_proxy,
    variables.no_proxy,
    clients.curl,
    clients.python,
    clients.node,
    trust.system_store,
    trust.browser_stores,
    trust.java_store,
)
"""Only for clients that reach the proxy by HTTPS_PROXY."""


def _about() -> list[str]:
    return [
        say(
            "Checks what goes wrong for newcomers and says how to fix it, one line for each check. Run it in the shell "
            "that clients are started from: it sees their variables, and their settings files. It asks the proxy that "
            "runs where it sends calls, and sends one request without a key there."
        ),
        say(
            "With --live it asks the endpoint itself what it takes: at most 12 calls of a few tokens each, with the "
            "key of the vendor's variable (MOONSHOT_API_KEY, ZENMUX_API_KEY ...), else HUNYUAN_API_KEY. It prints that "
            "beside what the profile says, and writes the differences to a file in your folder of profiles, which the "
            "proxy reads."
        ),
        say(
            "Exit status: 0 no problem (warnings at most; with --live: examined, differences written), 1 problems, 2 "
            "wrong usage."
        ),
    ]


def parse(arguments: Sequence[str], prefix: str) -> argparse.Namespace:
    """Read the command line. Exits with a usage error. A port or folder that isn't given is `None`."""
    parser = Parser(
        f"{prefix}doctor",
        description="\n\n".join("\n".join(wrapped(paragraph, _WIDTH)) for paragraph in _about()),
    )
    addresses.add_port(parser)
    addresses.add_reverse_port(parser)
    addresses.add_confdir(parser)
    parser.set_defaults(
        port=os.environ.get("HUNYUAN_FIX_PORT"), reverse_port=os.environ.get("HUNYUAN_FIX_REVERSE_PORT"), confdir=None
    )
    parser.add_argument(
        "--upstream",
        type=_base_url,
        metavar="URL",
        help=say("the clients' base URL (default: what the running proxy says, else TokenHub's)"),
    )
    parser.add_argument(
        "--reverse",
        action="store_true",
        help=say("clients have the reverse port as their base URL: check nothing else"),
    )
    parser.add_argument(
        "--online", action="store_true", help=say("also check the key in HUNYUAN_API_KEY, by a call for one token")
    )
    parser.add_argument(
        "--native",
        action="store_true",
        help=say("also check what Tencent Cloud's own API needs: a SecretId and a SecretKey, and the right time"),
    )
    parser.add_argument("--json", action="store_true", help=say("print the findings as JSON"))
    fix = parser.add_argument_group(say("to mend what was found"))
    fix.add_argument(
        "--fix", action="store_true", help=say("make what can be made, after a question for each change, with a backup")
    )
    fix.add_argument("--yes", action="store_true", help=say("with --fix: don't ask"))
    live_ = parser.add_argument_group(say("what the endpoint takes"))
    live_.add_argument("--live", action="store_true", help=say("ask the endpoint of --upstream"))
    live_.add_argument("--model", metavar="ID", help=say("the model to ask (default: the profile's text model)"))
    live_.add_argument(
        "--profile", metavar="NAME", help=say("what it is held against (default: the profile of the host)")
    )
    live_.add_argument(
        "--profiles", type=Path, metavar="FOLDER", help=say("your folder of profiles (as hunyuan_profiles)")
    )
    live_.add_argument("--dry", action="store_true", help=say("write nothing"))
    live_.add_argument(
        "--live-plan", action="store_true", help=say("also at a plan, whose terms forbid calls like these")
    )
    given: argparse.Namespace = parser.parse_args(arguments)
    if not given.live and (given.model or given.profile or given.profiles or given.dry or given.live_plan):
        parser.error(say("--model, --profile, --profiles, --dry and --live-plan need --live"))
    if given.yes and not given.fix:
        parser.error(say("--yes needs --fix"))
    if given.fix and (given.live or given.json):
        parser.error(say("--fix goes with neither --live nor --json"))
    return given


def _base_url(text: str) -> BaseUrl:
    try:
        url = options.parse({"hunyuan_upstream": text}).upstream
    except OptionError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("hunyuan_upstream=")) from None
    if url is None:
        raise argparse.ArgumentTypeError(say("a base URL is needed"))
    return url


def situation_of(given: argparse.Namespace, environment: Mapping[str, str], prefix: str) -> Situation:
    """What the checks examine: by the command line, by the file of a proxy that runs, and by what its ports answer."""
    # 1. Where the proxy is. What the command line leaves open is that of the one that was started last.
    started = _started(given)
    port = given.port or (started.port if started and started.port else addresses.PORT)
    reverse_port = given.reverse_port or (started.reverse_port if started else addresses.REVERSE_PORT)
    confdir = given.confdir or Path(started.confdir if started else addresses.CONFDIR)
    situation = Situation(
        port=port,
        reverse_port=reverse_port,
        confdir=confdir.expanduser().absolute(),
        upstream=given.upstream,
        online=given.online,
        environment=environment,
        prefix=prefix,
        proxy=listeners.at_proxy(proxy_url(environment, port), port),
        reverse=listeners.at_reverse_proxy(reverse_port),
        mode=started.mode if started else "",
        version=started.version if started else "",
        admin_url=started.admin_url if started else "",
        reverse_only=given.reverse,
        native=given.native,
        folder=Path.cwd(),
    )
    # 2. Where it sends calls: it says so itself. Its file says it where its ports ask for a password.
    return replace(
        situation, route=_route(situation) or (Route(started.profile, upstream=started.upstream) if started else None)
    )


def _started(given: argparse.Namespace) -> Running | None:
    """The proxy that `run` started last, of those on the ports that are given."""
    for one in state.running():
        if given.port in (None, one.port) and given.reverse_port in (None, one.reverse_port):
            return one
    return None


def _route(situation: Situation) -> Route | None:
    if situation.reverse is Listener.HUNYUAN_FIX and situation.upstream is None:
        return listeners.route_of(f"{situation.reverse_url}/models")
    if situation.proxy is Listener.HUNYUAN_FIX:
        # Asked by http://, which needs no certificate: the route is the same.
        url = situation.upstream or BaseUrl("https", profiles.load("tokenhub").hosts[0], 443, "/v1")
        asked = f"http://{url.host}"
        route = listeners.route_of(f"{asked}{url.path}/models", situation.proxy_url)
        if route is not None and route.upstream.startswith(asked):  # not sent elsewhere: as clients address it
            return replace(route, upstream=f"{url.scheme}{route.upstream.removeprefix('http')}")
        return route
    return None


def examine(situation: Situation) -> Iterator[Finding]:
    """Run every check that makes sense, several at a time; the findings in the order of the tables."""
    proxied = situation.means_proxy_mode or (situation.upstream is not None and not situation.reverse_only)
    checks = (*PROXY, *(NATIVE if situation.native else ()), *(HTTPS_PROXY if proxied else (variables.proxy_mode,)))
    with ThreadPoolExecutor() as pool:
        for found in pool.map(lambda check: _listed(check(situation)), checks):
            yield from found


def _listed(found: Finding | Iterable[Finding] | None) -> list[Finding]:
    if found is None:
        return []
    return [found] if isinstance(found, Finding) else list(found)


def main(arguments: Sequence[str], prefix: str) -> int:
    """Examine and report, and mend what `--fix` can."""
    given = parse(arguments, prefix)
    situation = situation_of(given, os.environ, prefix)
    if given.live:
        folder = given.profiles.expanduser().absolute() if given.profiles else None
        wanted = live.Wanted(given.profile, given.model, folder, plan_too=given.live_plan, write=not given.dry)
        return live.main(situation, wanted, as_json=given.json)
    findings = examine(situation)
    done = report.write_json(findings) if given.json else report.write(findings)
    if given.fix:
        print()
        return 1 if fixes.mend(done, sure=given.yes) or _left(situation) else 0
    return 1 if report.count(done, "problem") else 0


def _left(situation: Situation) -> bool:
    """Whether problems are left now."""
    return any(finding.result == "problem" for finding in examine(situation))
