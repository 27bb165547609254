"""Start mitmdump (or mitmweb) with the addon on loopback, and say what to set in a client: `hunyuan-fix run`."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from ..config import operating_system
from ..config.option import PREFIX
from ..did_you_mean import did_you_mean
from ..hooks import authority
from ..options import OPTIONS
from . import kimi, mitmproxy_api
from .addresses import CONFDIR, ENDPOINT, HOST, add_port, add_reverse_port, port_is_free
from .agents.table import add_agent, of_command
from .client_setup import client_variables, write_bundle
from .kimi import KimiEnvironment
from .path import ADDON
from .shells import SHELLS, detected

_OWN = ("--web", "--host", "--port", "--reverse-port", "--kimi", "--for", "--model", "--log", "--help")
"""Options of `run` itself."""

_USAGE = f"""\
Runs mitmdump with the addon, as a proxy and as a reverse proxy at once, and prints what to set in a client.

With -- and a coding agent it runs that agent through a proxy, set up for it, and ends with the agent's exit status:
  {{prefix}}run -- claude
  {{prefix}}run --model hy3-preview -- opencode run "Fix the tests."
The key is that of HUNYUAN_API_KEY. A proxy that runs on the two ports is used, unless there are options for one. Else
the agent gets one of its own on other ports, to TokenHub if no option (or file of options) names another endpoint; that
ends with the agent, and leaves nothing behind. Unknown commands get what every client needs: the proxy and its CA.

Arguments that are not listed below are given to mitmdump (or mitmweb), for example:
  {{prefix}}run --set hunyuan_upstream=https://tokenhub.tencentmaas.com/v1
  {{prefix}}run --set hunyuan_language=en -v
  {{prefix}}run --web --set web_port=8082

With --kimi it takes the place of the Kimi Thinking Proxy: one port (PROXY_PORT, default {kimi.PORT}), to
MOONSHOT_BASE_URL (default {kimi.BASE_URL}), with ZENMUX_API_KEY for clients that have no key, and
by HTTPS_PROXY. docs/clients/kimi.md has all of it.

Both listen on {HOST} only, unless --host is given: then clients need tokens ({{prefix}}token).
docs/options.md lists every hunyuan_ option."""


@dataclass(frozen=True, slots=True)
class AgentCall:
    """An agent to run: its command line, which agent that is if the command doesn't tell, the model, the log file."""

    words: tuple[str, ...]
    name: str | None = None
    model: str | None = None
    log: Path | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start: the address and the two ports, which program, and the arguments that go on to it."""

    host: str
    port: int
    reverse_port: int
    web: bool
    arguments: tuple[str, ...]
    prefix: str = "hunyuan-fix "
    """What stands before a command's name in texts."""
    agent: AgentCall | None = None
    """The agent to run; `None`: the proxy alone."""
    kimi: KimiEnvironment | None = None
    """What the environment says under `--kimi`: there is the reverse proxy alone."""
    until_eof: str | None = None
    """Not `None`: the proxy belongs to an agent. It ends when standard input is closed, removes this folder (if it
    isn't `""`) at its end, and says nothing of clients."""

    def option(self, name: str) -> str | None:
        """The value of the last `--set NAME=VALUE` among the arguments, as mitmproxy reads them; `None` without one."""
        value = None
        words = [f"--set={word}" if before == "--set" else word for before, word in pairwise(["", *self.arguments])]
        for word in words:
            key, separator, given = word.removeprefix("--set=").partition("=")
            if word.startswith("--set=") and separator and key == name:
                value = given
        return value

    def command(self) -> list[str]:
        """The arguments for mitmdump or mitmweb. The user's own come last, so that they override ours."""
        modes = [f"regular@{self.host}:{self.port}", f"reverse:{ENDPOINT}@{self.host}:{self.reverse_port}"]
        ours = ["-s", str(ADDON)]
        if self.kimi is not None:
            modes = modes[1:]
            ours += self.kimi.arguments
        for mode in modes:
            ours += ["--mode", mode]
        return [*ours, *self.arguments]


def parse(arguments: Sequence[str], prefix: str) -> Launch:
    """Read the command line. Exits with a usage error, also for two equal ports."""
    parser = argparse.ArgumentParser(
        f"{prefix}run",
        usage=f"{prefix}run [--web] [--host ADDRESS] [--port PORT] [--reverse-port PORT] [MITMDUMP ARGUMENTS]\n"
        f"       {prefix}run --kimi [MITMDUMP ARGUMENTS]\n"
        f"       {prefix}run [--for AGENT] [--model MODEL] [--log FILE] [MITMDUMP ARGUMENTS] -- COMMAND [ARGUMENTS]",
        description=_USAGE.format(prefix=prefix),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--web", action="store_true", help="start mitmweb, which opens its page in a browser")
    parser.add_argument("--host", default=HOST, help=f"address to listen on (default {HOST}; 0.0.0.0: all addresses)")
    add_port(parser)
    add_reverse_port(parser)
    parser.add_argument("--kimi", action="store_true", help="be what the Kimi Thinking Proxy was, by its environment")
    agent = parser.add_argument_group("with an agent")
    add_agent(agent)
    agent.add_argument("--log", type=Path, metavar="FILE", help="file that the lines of the agent's own proxy go to")
    parser.add_argument("--until-eof", metavar="FOLDER", help=argparse.SUPPRESS)
    own, separator, words = _divided(arguments)
    of_kimi = None
    if "--kimi" in own:
        try:
            of_kimi = KimiEnvironment.read(os.environ)
        except ValueError as error:
            parser.error(str(error))
        parser.set_defaults(host=of_kimi.host, reverse_port=of_kimi.port)
    known, rest = parser.parse_known_args(own)
    if of_kimi is not None and separator:
        parser.error("--kimi starts a proxy alone: it doesn't go with --")
    if of_kimi is not None and of_kimi.leads_to(known.reverse_port):
        parser.error(f"{of_kimi.proxy_variable} names this proxy itself: calls to the endpoint would come back")
    if known.port == known.reverse_port and of_kimi is None:
        parser.error(f"the proxy and the reverse proxy can't share port {known.port}")
    call = None
    if separator:
        if not words:
            parser.error("which command? It is missing after --")
        if known.host != HOST:
            parser.error(f"an agent's proxy listens on {HOST} only: --host doesn't go with --")
        call = AgentCall(tuple(words), known.agent, known.model, known.log)
    elif known.agent or known.model or known.log:
        parser.error("--for, --model and --log are about an agent: give its command after --")
    elif rest and of_command(rest[0]):
        parser.error(f"to run an agent, put -- before it: {prefix}run -- {rest[0]}")
    launch = Launch(known.host, known.port, known.reverse_port, known.web, tuple(rest), prefix, call)
    return replace(launch, until_eof=known.until_eof, kimi=of_kimi)


def _divided(arguments: Sequence[str]) -> tuple[Sequence[str], bool, Sequence[str]]:
    """`arguments` before the first `--`, whether there is one, and what stands after it."""
    if "--" not in arguments:
        return arguments, False, ()
    at = arguments.index("--")
    return arguments[:at], True, arguments[at + 1 :]


def instructions(launch: Launch, confdir: Path) -> str:
    """The lines that tell a user what to set in a client."""
    upstream = launch.option("hunyuan_upstream")
    if launch.kimi is not None:
        return _in_place_of_kimis(launch, upstream or launch.kimi.base_url)
    # Lines for sh, which users of other shells on POSIX systems can translate; PowerShell on Windows.
    shell = SHELLS[detected(os.environ) or "sh"] if operating_system.is_windows() else SHELLS["sh"]
    variables = client_variables(launch.port, confdir)
    lines = [
        "",
        f"Keep the client's base URL {ENDPOINT}/v1 and start it from a shell with these (restart it if it runs):",
        *(f"  {shell.export(name, value)}" for name, value in variables.items()),
        "",
        "Or, for a client that has a setting for its base URL only, set that to:",
        f"  http://{HOST}:{launch.reverse_port}/v1",
        f"(clients of Anthropic's API: without /v1). `{launch.prefix}run -- claude` does all that for a coding agent.",
        "",
        f"The proxy's CA is {authority.ca_file(confdir)} (VS Code and others: add it to the system's store).",
        *([f"Calls go on to {upstream} (hunyuan_upstream)."] if upstream else []),
        *([] if launch.host == HOST else _for_others(launch)),
        "",
    ]
    return "\n".join(lines)


def _in_place_of_kimis(launch: Launch, upstream: str) -> str:
    address = f"http://{HOST}:{launch.reverse_port}"
    lines = [
        "",
        f"In place of the Kimi Thinking Proxy. Calls go on to {upstream}.",
        f"  Anthropic's API:  base URL {address}     (POST /v1/messages, key in x-api-key)",
        f"  OpenAI's API:     base URL {address}/v1  (POST /v1/chat/completions, key in Authorization)",
        "  GET /v1/models, GET /health",
        *([] if launch.host == HOST else _for_others(launch)),
        "",
    ]
    return "\n".join(lines)


def _for_others(launch: Launch) -> list[str]:
    return [
        "",
        f"For other machines (it listens on {launch.host}): base URL http://ADDRESS-OF-THIS-MACHINE:{launch.reverse_port}/v1,",
        f"with a client token as the API key ({launch.prefix}token add NAME).",
    ]


def refused(words: Sequence[str], known: Iterable[str]) -> list[str]:
    """A line for each of `words` that looks like an option and isn't in `known`.

    Abbreviations are refused: mitmproxy would read `--upstream` as `--upstream-auth`; users mean hunyuan_upstream.
    """
    ours = {option.name for option in OPTIONS}
    options = sorted({option for option in known if option.startswith("--")})
    lines = []
    for word in words:
        name = word.partition("=")[0]
        if not name.startswith("-"):
            continue
        meant = name.lstrip("-").replace("-", "_")
        settings = [full for full in (meant, f"{PREFIX}{meant}") if full in ours]
        longer = sorted([option for option in options if option.startswith(name)], key=len) if len(name) > 2 else []
        near = None if settings or longer else did_you_mean(name, options)
        proposals = " or ".join(
            [*(f"--set {setting}=…" for setting in settings), *longer[:3], *([near] if near else [])]
        )
        lines.append(f"{name}: there is no such option" + (f"; did you mean {proposals}?" if proposals else ""))
    return lines


def main(arguments: Sequence[str], prefix: str) -> int:
    """Check the ports and the options, make the CA and its bundle, print the instructions and become mitmproxy."""
    launch = parse(arguments, prefix)
    if launch.agent is not None:
        from .agents.session import run_agent  # noqa: PLC0415 - it starts this command again, without an agent

        return run_agent(launch, launch.agent)
    ports = (("--port", launch.port), ("--reverse-port", launch.reverse_port))
    for flag, port in ports if launch.kimi is None else ports[1:]:
        try:
            free = port_is_free(port, launch.host)
        except socket.gaierror:
            sys.exit(f"{launch.host} is not an address to listen on.")
        if not free:
            sys.exit(
                f"Port {port} on {launch.host} is taken. Stop what listens there, or use another port: {flag} PORT"
            )
    about_key = "" if launch.kimi is None else kimi.take_key(os.environ)
    confdir = Path(launch.option("confdir") or CONFDIR).expanduser().absolute()
    roots = launch.option("ssl_verify_upstream_trusted_ca")
    key_size = launch.option("key_size") or ""

    def prepare(parser: argparse.ArgumentParser) -> None:
        # 1. One line for each option that doesn't exist. mitmproxy itself would accept abbreviations.
        parser.prog, parser.allow_abbrev = f"{prefix}run", False
        _, unknown = parser.parse_known_args(launch.command())
        if problems := refused(unknown, [*_OWN, *parser._option_string_actions]):
            print("\n".join(f"{prefix}run: {problem}" for problem in problems), file=sys.stderr)
            sys.exit(2)
        # 2. The command line is valid: make the CA and its bundle.
        try:
            write_bundle(
                confdir,
                Path(roots).expanduser() if roots else None,
                key_size=int(key_size) if key_size.isdecimal() else authority.KEY_SIZE,
            )
        except (OSError, ValueError) as error:
            sys.exit(f"{prefix}run: the proxy's CA can't be made or read in {confdir}: {error}")
        # 3. Tell the user what to set in a client, or watch for the end of the agent that this proxy belongs to.
        if launch.until_eof is not None:
            threading.Thread(target=_end_at_eof, daemon=True).start()
        else:
            print(instructions(launch, confdir), *([f"{about_key}\n"] if about_key else []), sep="\n", flush=True)

    try:
        mitmproxy_api.run_tool("mitmweb" if launch.web else "mitmdump", launch.command(), prepare)
    finally:
        if launch.until_eof:
            shutil.rmtree(launch.until_eof, ignore_errors=True)
    return 0


def _end_at_eof() -> None:
    """End this process when standard input is closed, as with SIGTERM: what started it has ended, or wants that."""
    sys.stdin.buffer.read()
    signal.raise_signal(signal.SIGTERM)
