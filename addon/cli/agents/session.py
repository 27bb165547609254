"""An agent run through a proxy, in the foreground: `hunyuan-fix run -- AGENT`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from ...access.keys import FILE_VARIABLE, VARIABLE, KeySettings, LentKey
from ...config import operating_system
from ...config.option import OptionError
from ..addresses import CONFDIR, HOST
from . import proxy
from .proxy import OwnProxy, Proxy
from .table import Agent, agents, of_command
from .variables import Target, arguments_before, stronger_settings, variables

if TYPE_CHECKING:
    from ..run import AgentCall, Launch

UPSTREAM = "hunyuan_upstream"
TOKENHUB = "https://tokenhub.tencentmaas.com/v1"
"""Where an agent's own proxy sends calls unless it is told otherwise."""

FAILED, WRONG_USE, NOT_EXECUTABLE, NOT_FOUND = 1, 2, 126, 127
"""Exit statuses of our own; the last two are those of shells."""


class Refused(Exception):
    """The agent isn't started. The text is for users."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def run_agent(launch: Launch, call: AgentCall) -> int:
    """Run the agent of `call` through a proxy; returns the exit status of the agent, or of a shell in its place.

    Signals go to the agent, not to the proxy. The proxy is one that runs already, if it is good for this, else one of
    the agent's own, which ends with it.
    """
    confdir = Path(launch.option("confdir") or CONFDIR).expanduser().absolute()
    with _signals() as signals:
        try:
            # 1. The program, and the key: without them there is nothing to start.
            agent = agents()[call.name] if call.name else of_command(call.words[0])
            session = _Session(launch, call, agent, _program(call.words[0]), _key(launch) if agent else "", signals)
            # 2. A proxy that runs already. Options of the user's own are for a proxy that is to be started.
            wanted = launch.arguments or launch.web or call.log
            found = None if wanted else proxy.running(launch.port, launch.reverse_port, confdir)
            if found and found.shut_down:
                session.say(f"the proxy on {HOST}:{found.port} leads to an endpoint that has been shut down")
            elif found:
                return session.run(found)
            # 3. Else one of its own.
            private = launch.option("confdir") is None and not confdir.exists()
            with proxy.own(
                _proxy_arguments(launch, confdir),
                confdir=None if private else confdir,
                log=call.log,
                given_up=lambda: bool(signals.early),
            ) as (own, process):
                status = session.run(own)
                if process.ended:
                    session.say(f"the agent's proxy ended before the agent did. It said:\n{_tail(process)}")
                return status
        except Refused as refused:
            status, text = refused.status, str(refused)
        except proxy.Interrupted:
            return 128 + signals.early[0]
        except proxy.StartError as error:
            status, text = FAILED, f"the proxy did not start:\n{error}"
        except OSError as error:
            status, text = FAILED, f"{error.filename or 'the proxy'}: {error.strerror or error}"
    print(f"{launch.prefix}run: {text}", file=sys.stderr)
    return status


@dataclass(frozen=True, slots=True)
class _Session:
    """An agent that is about to be run."""

    launch: Launch
    call: AgentCall
    agent: Agent | None
    program: str
    """The path of its program."""
    key: str
    signals: Signals

    def run(self, found: Proxy) -> int:
        """Start the agent by the proxy `found` and wait for its end. Returns its exit status. Raises `Refused`."""
        target = Target.by(found, self.call.model, _own_window(self.launch))
        ours = variables(self.agent, target, os.environ)
        words = self.call.words[1:]
        if self.agent:
            for file, names in stronger_settings(self.agent, ours.values, os.environ):
                raise Refused(
                    WRONG_USE,
                    f"{file} sets {', '.join(names)}, which {self.agent.title} prefers to its environment: its calls "
                    "would go elsewhere, or with another key. Take that out of the file.",
                )
            words = (*arguments_before(self.agent, target, words), *words)
            window = f", a window of {target.window:,} tokens" if target.window else ", whose window is not known"
            model = f"{target.model.id} ({target.profile.name}){window}"
            self.say(f"{self.agent.title} through {HOST}:{target.reverse_port}: {model}")
        else:
            left = "its own settings say which model it calls, and where"
            self.say(f"{self.call.words[0]} through {HOST}:{target.port}; {left}")
        try:
            popen = subprocess.Popen([self.program, *words], env=ours.of(os.environ, self.key))
        except OSError as error:
            raise Refused(NOT_EXECUTABLE, f"{self.call.words[0]} can't be started: {error.strerror}") from None
        self.signals.go_to(popen)
        status = popen.wait()
        return status if status >= 0 else 128 - status

    def say(self, text: str) -> None:
        """Tell the user something before or after the agent."""
        print(f"{self.launch.prefix}run: {text}", file=sys.stderr, flush=True)


class Signals:
    """Signals that this process gets: kept until there is an agent, then passed on to it."""

    def __init__(self) -> None:
        self.early: list[int] = []
        self._agent: subprocess.Popen[bytes] | None = None

    def go_to(self, agent: subprocess.Popen[bytes]) -> None:
        """Pass them on to `agent` from now on, and those that came during its start."""
        self._agent = agent
        for number in self.early:
            agent.send_signal(number)

    def handle(self, number: int, _: FrameType | None) -> None:
        """The handler of each signal."""
        if self._agent is None:
            self.early.append(number)
        elif not operating_system.reaches_children_too(number):
            self._agent.send_signal(number)


@contextmanager
def _signals() -> Iterator[Signals]:
    """Handle what ends a process, but for what is ignored already: under `nohup`, in a shell's background."""
    kept = Signals()
    before = {
        number: signal.signal(number, kept.handle)
        for number in operating_system.signals_to_pass_on()
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield kept
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _program(word: str) -> str:
    """The path of the program `word`. Raises `Refused`, with the status that a shell has for it."""
    if path := shutil.which(word):
        return path
    if os.path.dirname(word) and Path(word).exists():
        raise Refused(NOT_EXECUTABLE, f"{word} is no program that can be run")
    raise Refused(NOT_FOUND, f"{word}: there is no such program; is it installed, and in PATH?")


def _key(launch: Launch) -> str:
    """The user's API key, from where the proxy too would take it. Raises `Refused` without one."""
    file = launch.option("hunyuan_api_key_file")
    try:
        key = LentKey(os.environ).configured(KeySettings(Path(file).expanduser() if file else None)).value
    except OptionError as error:
        raise Refused(WRONG_USE, str(error)) from None
    if not key:
        raise Refused(WRONG_USE, f"the agent needs your API key: set {VARIABLE}, or {FILE_VARIABLE} to a file with it")
    return key


def _own_window(launch: Launch) -> int | None:
    """The user's `hunyuan_window`, which the agent's own proxy gets too, and checks."""
    given = launch.option("hunyuan_window") or ""
    return int(given) if given.isascii() and given.isdigit() else None


def _proxy_arguments(launch: Launch, confdir: Path) -> list[str]:
    """The arguments of the agent's own proxy: the user's, and what they leave open."""
    ours = ["--web"] if launch.web else []
    if not _names_upstream(launch, confdir):
        ours += ["--set", f"{UPSTREAM}={TOKENHUB}"]
    if launch.option("hunyuan_drain_timeout") is None:
        ours += ["--set", "hunyuan_drain_timeout=2"]  # with the agent gone, no answer is waited for
    return [*ours, *launch.arguments]


def _names_upstream(launch: Launch, confdir: Path) -> bool:
    """Whether the command line, mitmproxy's own file of options or that of `hunyuan_config` names an endpoint."""
    if launch.option(UPSTREAM) is not None:
        return True
    from ruamel.yaml import YAML  # noqa: PLC0415 - it takes a while, and mostly nothing is there to read
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415

    def read(file: Path) -> Mapping[str, object]:
        try:
            options = YAML(typ="safe", pure=True).load(file.read_text("utf-8"))
        except (OSError, ValueError, YAMLError):
            return {}  # the proxy says what is wrong with it
        return options if isinstance(options, dict) else {}

    options = {**read(confdir / "config.yaml"), **read(confdir / "config.yml")}
    file = launch.option("hunyuan_config") or options.get("hunyuan_config")
    further = read(Path(str(file)).expanduser()) if file else {}
    return UPSTREAM in options or bool({UPSTREAM, "upstream"} & further.keys())


def _tail(process: OwnProxy, lines: int = 10) -> str:
    return "\n".join(process.said().splitlines()[-lines:])
