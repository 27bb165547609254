"""The command line of `hunyuan-fix run`: what to start, and the options that go on to mitmproxy."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

from ..config import operating_system
from ..config.option import PREFIX
from ..config.worker_place import WorkerPlace
from ..did_you_mean import did_you_mean
from ..options import OPTIONS
from ..route import SUCCESSOR
from ..texts import LANGUAGES
from ..texts.terminal import say
from . import kimi, mitmweb_columns
from .addresses import CONFDIR, ENDPOINT, HOST, INTERNATIONAL, PORTS, add_port, add_reverse_port
from .agents.table import add_agent, of_command
from .arguments import Parser
from .kimi import KimiEnvironment
from .path import ADDON

UPSTREAM = "hunyuan_upstream"
ADMIN = "hunyuan_admin"
KEEP = "hunyuan_keep"
_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "--upstream": UPSTREAM,
        "--key-file": "hunyuan_api_key_file",
        "--profile": "hunyuan_profile",
        "--language": "hunyuan_language",
    }
)
"""Flags of `run` -> the options of the addon that they set to their value."""
_ENDPOINTS: Mapping[str, str] = MappingProxyType({"--intl": INTERNATIONAL, "--legacy": ""})
"""Flags of `run` without a value -> what they set `hunyuan_upstream` to."""


@dataclass(frozen=True, slots=True)
class AgentCall:
    """An agent to run: its command line, which agent that is if the command doesn't tell, the model, the log file."""

    words: tuple[str, ...]
    name: str | None = None
    model: str | None = None
    log: Path | None = None


@dataclass(frozen=True, slots=True)
class WorkerCall:
    """What a worker is told by the process that starts it: its place, its end of the channel, the ports to serve."""

    place: WorkerPlace
    channel: int
    """A descriptor, as each of `ports`."""
    ports: tuple[int, ...]

    def __str__(self) -> str:
        """As the flag has it."""
        numbers = (self.place.number, self.place.of, self.channel, *self.ports)
        return ",".join(map(str, numbers))

    @classmethod
    def read(cls, text: str) -> WorkerCall:
        """The opposite of `str`. Raises `ValueError`."""
        number, of, channel, *ports = map(int, text.split(","))
        return cls(WorkerPlace(number, of), channel, tuple(ports))


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start: the address and the two ports, which program, and the arguments that go on to it."""

    host: str
    port: int
    reverse_port: int
    web: bool
    arguments: tuple[str, ...]
    """For mitmproxy: the user's own, and those that flags of `run` stand for."""
    prefix: str = "hunyuan-fix "
    """What stands before a command's name in texts."""
    command_name: str = "run"
    """The command that the user has given."""
    agent: AgentCall | None = None
    """The agent to run; `None`: the proxy alone."""
    kimi: KimiEnvironment | None = None
    """What the environment says under `--kimi`: there is the reverse proxy alone."""
    until_eof: str | None = None
    """Not `None`: the proxy belongs to an agent. It ends when standard input is closed, removes this folder (if it
    isn't `""`) at its end, and says nothing of clients."""
    chosen: frozenset[str] = frozenset()
    """Flags of the ports that the user has chosen: `--port`, `--reverse-port`. Another is free to be moved."""
    json: bool = False
    """Standard output is for programs: it gets one JSON object."""
    workers: int | None = None
    """How many processes serve the ports; `None`: this one."""
    worker: WorkerCall | None = None
    """What this process is among those."""
    admin: str | None = None
    """`hunyuan_admin` where nobody gives one; `None`: the option's own default."""

    def option(self, name: str) -> str | None:
        """The value of the last `--set NAME=VALUE` among the arguments, as mitmproxy reads them; `None` without one."""
        value = None
        words = [f"--set={word}" if before == "--set" else word for before, word in pairwise(["", *self.arguments])]
        for word in words:
            key, separator, given = word.removeprefix("--set=").partition("=")
            if word.startswith("--set=") and separator and key == name:
                value = given
        return value

    @property
    def confdir(self) -> Path:
        """mitmproxy's folder."""
        return Path(self.option("confdir") or CONFDIR).expanduser().absolute()

    @property
    def defaults(self) -> Mapping[str, str]:
        """Values of options that nobody has given: on the command line, in the environment, in a file of options."""
        values = {} if self.kimi is not None else {UPSTREAM: SUCCESSOR}
        if self.admin is not None:
            values[ADMIN] = self.admin
        if self.worker is not None:
            values[KEEP] = "store"  # the next request of a conversation may come to another worker
        return values

    def command(self) -> list[str]:
        """The arguments for mitmdump or mitmweb. The user's own come last, so that they override ours."""
        # The reverse port stands for the old platform's address, whose requests go on as `hunyuan_upstream` says: so
        # model ids that are retired there are mapped on both ways in, and options may change the endpoint meanwhile.
        modes = [f"regular@{self.host}:{self.port}", f"reverse:{ENDPOINT}@{self.host}:{self.reverse_port}"]
        ours = ["-s", str(ADDON)]
        first_port = self.port
        if self.kimi is not None:
            modes, first_port = modes[1:], self.reverse_port
            ours += self.kimi.arguments
        for mode in modes:
            ours += ["--mode", mode]
        if self.web:
            ours += mitmweb_columns.arguments(self.arguments)
        if not any(word.partition("=")[0] in ("--mode", "-m") for word in self.arguments):
            # Each mode has its own address; mitmweb's page shows this one.
            ours += ["--listen-host", self.host, "--listen-port", str(first_port)]
        return [*ours, *self.arguments]


def parse(arguments: Sequence[str], prefix: str, command: str = "run") -> Launch:
    """Read the command line. Exits with a usage error, also for two equal ports and for flags that contradict.

    `command`: the one that these are the arguments of, for texts.
    """
    own, separator, words = divided(arguments)
    parser = _parser(prefix)
    parser.prog = f"{prefix}{command}"
    of_kimi = None
    if "--kimi" in own:
        try:
            of_kimi = KimiEnvironment.read(os.environ)
        except ValueError as error:
            parser.error(str(error))
        parser.set_defaults(host=of_kimi.host, reverse_port=of_kimi.port)
    known, rest = parser.parse_known_args(own)
    settings = _settings(parser, known, rest)
    chosen = {flag for flag, variable in PORTS.items() if os.environ.get(variable) or _is_given(flag, own)}
    if of_kimi is not None:
        if separator:
            parser.error(say("--kimi starts a proxy alone: it doesn't go with --"))
        if of_kimi.leads_to(known.reverse_port):
            parser.error(
                say("{name} names this proxy itself: calls would come back to it", name=of_kimi.proxy_variable)
            )
        if any(word.startswith(f"{UPSTREAM}=") for word in settings):
            parser.error(say("--kimi takes the endpoint from MOONSHOT_BASE_URL: set that instead"))
    elif known.port == known.reverse_port:
        parser.error(say("the proxy and the reverse proxy can't share port {port}", port=known.port))
    call = _agent_call(parser, known, words) if separator else None
    if call is None and (known.agent or known.model or known.log):
        parser.error(say("--for, --model and --log are about an agent: give its command after --"))
    if call is None and rest and of_command(rest[0]):
        parser.error(say("to run an agent, put -- before it: {command}", command=f"{prefix}run -- {rest[0]}"))
    if call is None and (url := _first_url(rest)):
        parser.error(say("to send calls to {url}, put --upstream before it", url=url))
    launch = Launch(known.host, known.port, known.reverse_port, known.web, (*settings, *rest), prefix, command, call)
    if launch.option("confdir") == "":  # mitmproxy would put the CA's private key into the current folder
        parser.error(say("confdir needs a folder: --set confdir=FOLDER"))
    chosen |= {"--port", "--reverse-port"} if of_kimi is not None else set()
    workers = None if known.worker else known.workers
    if workers is not None:
        _check_workers(parser, launch)
    return replace(
        launch,
        until_eof=known.until_eof,
        kimi=of_kimi,
        chosen=frozenset(chosen),
        json=known.json,
        workers=workers,
        worker=known.worker,
    )


def given_language(arguments: Sequence[str]) -> str | None:
    """The language that `--language` or `--set hunyuan_language` names, before anything is said; `None` without."""
    own, _, _ = divided(arguments)
    for before, word in pairwise(["", *own]):
        if before == "--language":
            return word
        if word.startswith("--language="):
            return word.partition("=")[2]
    return Launch("", 0, 0, web=False, arguments=tuple(own)).option(_SETTINGS["--language"])


def _parser(prefix: str) -> Parser:
    parser = Parser(
        f"{prefix}run",
        usage=say(
            "{run} [--upstream URL | --intl | --legacy] [OPTIONS] [MITMDUMP ARGUMENTS]\n"
            "       {run} --kimi [MITMDUMP ARGUMENTS]\n"
            "       {run} [--for AGENT] [--model MODEL] [OPTIONS] -- COMMAND [ARGUMENTS]",
            run=f"{prefix}run",
        ),
        description=say(
            """\
Runs a proxy that repairs requests to TokenHub, Hunyuan and Kimi, and prints what to set in a client.

It is a reverse proxy, whose address is a client's base URL, and a proxy for HTTPS_PROXY at once. What clients address
to the old platform, which was shut down, goes to TokenHub. Both listen on {host} only, unless --host is given: then
clients need tokens ({run}token).

With -- and a coding agent it runs that agent through a proxy, set up for it, and ends with the agent's exit status:
  {run}run -- claude
  {run}run --model hy3-preview -- opencode run "Fix the tests."
The key is that of HUNYUAN_API_KEY. A proxy that runs already is used, unless there are options for one. Else the agent
gets one of its own on other ports, which ends with the agent and leaves nothing behind. Unknown commands get what every
client needs: the proxy and its CA.

With --kimi it takes the place of the Kimi Thinking Proxy: one port (PROXY_PORT, default {kimi_port}), to
MOONSHOT_BASE_URL (default {kimi_url}), with ZENMUX_API_KEY for clients that have no key, and by HTTPS_PROXY.
docs/clients/kimi.md has all of it.

Arguments that are not listed below are given to mitmdump (or mitmweb):
  {run}run --set hunyuan_mode=observe -v
  {run}run --web --set web_port=8082
docs/options.md lists every hunyuan_ option.""",
            run=prefix,
            host=HOST,
            kimi_port=kimi.PORT,
            kimi_url=kimi.BASE_URL,
        ),
    )
    to = parser.add_argument_group(say("where requests go"))
    to.add_argument("--upstream", metavar="URL", help=say("to this base URL (hunyuan_upstream)"))
    to.add_argument("--intl", action="store_true", help=say("to TokenHub outside China: {url}", url=INTERNATIONAL))
    to.add_argument("--legacy", action="store_true", help=say("to the address that the client chose, the old platform"))
    to.add_argument("--profile", metavar="NAME", help=say("the rules of this profile (hunyuan_profile)"))
    to.add_argument(
        "--key-file", metavar="FILE", help=say("a file with the key for clients that have none (hunyuan_api_key_file)")
    )
    parser.add_argument("--language", choices=LANGUAGES, help=say("of all texts, in conversations too"))
    parser.add_argument("--web", action="store_true", help=say("start mitmweb, which opens its page in a browser"))
    parser.add_argument("--json", action="store_true", help=say("print one JSON object when it is ready, for programs"))
    parser.add_argument(
        "--host", default=HOST, help=say("address to listen on (default {host}; 0.0.0.0: all addresses)", host=HOST)
    )
    add_port(parser)
    add_reverse_port(parser)
    parser.add_argument(
        "--kimi", action="store_true", help=say("be what the Kimi Thinking Proxy was, by its environment")
    )
    agent = parser.add_argument_group(say("with an agent"))
    add_agent(agent)
    agent.add_argument(
        "--log", type=Path, metavar="FILE", help=say("file that the lines of the agent's own proxy go to")
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=_workers,
        help=say("N processes serve the ports; auto: one for each processor (docs/operations.md)"),
    )
    parser.add_argument("--until-eof", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--worker", metavar="NUMBERS", type=WorkerCall.read, help=argparse.SUPPRESS)
    return parser


def _workers(text: str) -> int:
    if text == "auto":
        return min(operating_system.usable_cpus(), MOST_WORKERS)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_WORKERS):
        raise argparse.ArgumentTypeError(
            say("{text!r} is no number of workers: 1 to {most}, or auto", text=text, most=MOST_WORKERS)
        )
    return int(text)


def _check_workers(parser: Parser, launch: Launch) -> None:
    """Exit where `launch` asks for what several processes can't do together."""
    if operating_system.is_windows():
        parser.error(say("--workers doesn't work on Windows, where processes can't share a port like that"))
    if launch.web:
        parser.error(say("--workers doesn't go with --web: its page shows the requests of one process"))
    if launch.agent is not None:
        parser.error(say("--workers is for a proxy of many clients: it doesn't go with --"))
    for word in launch.arguments:
        flag = word.partition("=")[0]
        if flag in _OF_ONE_PROCESS or (not flag.startswith("--") and flag[:2] in _OF_ONE_PROCESS):
            parser.error(say("--workers doesn't go with {flag}, which is for one process", flag=flag))


_OF_ONE_PROCESS = frozenset(
    [
        *("--mode", "-m", "--save-stream-file", "-w", "--rfile", "-r"),
        *("--client-replay", "-C", "--server-replay", "-S"),
    ]
)
"""Flags of mitmproxy's that open further ports, read files of flows or write one."""
MOST_WORKERS = 64


def _agent_call(parser: Parser, known: argparse.Namespace, words: Sequence[str]) -> AgentCall:
    if not words:
        parser.error(say("which command? It is missing after --"))
    if known.host != HOST:
        parser.error(say("an agent's proxy listens on {host} only: --host doesn't go with --", host=HOST))
    if known.json:
        parser.error(say("--json is about a proxy alone: it doesn't go with --"))
    return AgentCall(tuple(words), known.agent, known.model, known.log)


def _settings(parser: Parser, known: argparse.Namespace, rest: Sequence[str]) -> list[str]:
    """The arguments for mitmproxy that the flags of `run` stand for. Exits where two say different things."""
    given = {flag: value for flag in _SETTINGS if (value := getattr(known, flag[2:].replace("-", "_"))) is not None}
    values = {flag: (_SETTINGS[flag], value) for flag, value in given.items()}
    values |= {flag: (UPSTREAM, url) for flag, url in _ENDPOINTS.items() if getattr(known, flag[2:])}
    by_set = Launch("", 0, 0, web=False, arguments=tuple(rest))
    flags: dict[str, str] = {}
    for flag, (name, _) in values.items():
        if name in flags:
            parser.error(say("{flag} and {other} say where requests go: give one", flag=flags[name], other=flag))
        if by_set.option(name) is not None:
            parser.error(say("{flag} and --set {name} are the same: give one of them", flag=flag, name=name))
        flags[name] = flag
    if "--upstream" in given and not given["--upstream"].strip():
        parser.error(say("--upstream needs a base URL; --legacy keeps the address that the client chose"))
    return [word for name, value in values.values() for word in ("--set", f"{name}={value}")]


def _first_url(rest: Sequence[str]) -> str | None:
    """A URL that stands first among the arguments for mitmproxy, which would take it for a filter of flows."""
    return rest[0] if rest and rest[0].lower().startswith(("http://", "https://")) else None


def _is_given(flag: str, words: Sequence[str]) -> bool:
    return any(word.partition("=")[0] == flag for word in words)


def divided(arguments: Sequence[str]) -> tuple[Sequence[str], bool, Sequence[str]]:
    """`arguments` before the first `--`, whether there is one, and what stands after it."""
    if "--" not in arguments:
        return arguments, False, ()
    at = arguments.index("--")
    return arguments[:at], True, arguments[at + 1 :]


def refused(words: Sequence[str], known: Iterable[str]) -> list[str]:
    """A line for each of `words` that looks like an option and isn't in `known`, nor one of `run` itself.

    Abbreviations are refused: mitmproxy would read `--upstr` as `--upstream-auth`.
    """
    ours = {option.name for option in OPTIONS}
    options = sorted({option for option in (*known, *_parser("").options) if option.startswith("--")})
    lines = []
    for word in words:
        name = word.partition("=")[0]
        if not name.startswith("-"):
            continue
        meant = name.lstrip("-").replace("-", "_")
        settings = [full for full in (meant, f"{PREFIX}{meant}") if full in ours]
        longer = sorted([option for option in options if option.startswith(name)], key=len) if len(name) > 2 else []
        near = None if settings or longer else did_you_mean(name, options)
        proposals = [*(f"--set {setting}=…" for setting in settings), *longer[:3], *([near] if near else [])]
        if proposals:
            one_of = " / ".join(proposals)
            lines.append(say("{name}: there is no such option; did you mean {near}?", name=name, near=one_of))
        else:
            lines.append(say("{name}: there is no such option", name=name))
    return lines
