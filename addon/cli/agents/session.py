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
from ...texts.terminal import say
from .. import state
from ..addresses import HOST
from . import proxy
from .proxy import OwnProxy, Proxy
from .table import Agent, agents, of_command
from .variables import Target, arguments_before, stronger_settings, variables

if TYPE_CHECKING:
    from ..launch import AgentCall, Launch

FAILED, WRONG_USE, NOT_EXECUTABLE, NOT_FOUND = 1, 2, 126, 127
"""Exit statuses of our own; the last two are those of shells."""


class Refused(Exception):
    """The agent isn't started. The text is for users."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def run_agent(
    launch: Launch, call: AgentCall, *, key: str | None = None, environment: Mapping[str, str] | None = None
) -> int:
    """Run the agent of `call` through a proxy; returns the exit status of the agent, or of a shell in its place.

    `key`: what it gets as its API key; `None`: the user's. `environment`: what an own proxy gets beside this process's.

    Signals go to the agent, not to the proxy. The proxy is one that runs already, if it is good for this, else one of
    the agent's own, which ends with it.
    """
    confdir = launch.confdir
    with _signals() as signals:
        try:
            # 1. The program, and the key: without them there is nothing to start.
            agent = agents()[call.name] if call.name else of_command(call.words[0])
            program = _program(call.words[0])
            if key is None:
                key = _key(launch) if agent else ""
            session = _Session(launch, call, agent, program, key, signals)
            # 2. A proxy that runs already. Options of the user's own are for a proxy that is to be started.
            wanted = launch.arguments or launch.web or call.log
            found = None if wanted else _running(launch)
            if found and found.shut_down:
                session.say(
                    say(
                        "the proxy on {host}:{port} leads to an endpoint that has been shut down",
                        host=HOST,
                        port=found.port,
                    )
                )
            elif found:
                return session.run(found)
            # 3. Else one of its own.
            private = launch.option("confdir") is None and not confdir.exists()
            with proxy.own(
                _proxy_arguments(launch),
                confdir=None if private else confdir,
                log=call.log,
                given_up=lambda: bool(signals.early),
                environment=environment,
            ) as (own, process):
                status = session.run(own)
                if process.ended:
                    session.say(
                        say("the agent's proxy ended before the agent did. It said:\n{lines}", lines=_tail(process))
                    )
                return status
        except Refused as refused:
            status, text = refused.status, str(refused)
        except proxy.Interrupted:
            return 128 + signals.early[0]
        except proxy.StartError as error:
            status, text = FAILED, say("the proxy did not start:\n{why}", why=error)
        except OSError as error:
            status, text = FAILED, f"{error.filename or say('the proxy')}: {error.strerror or error}"
    print(f"{launch.prefix}{launch.command_name}: {text}", file=sys.stderr)
    return status


def _running(launch: Launch) -> Proxy | None:
    """The proxy on the two ports; without one, and without ports that the user has chosen, the latest that runs."""
    if found := proxy.running(launch.port, launch.reverse_port, launch.confdir):
        return found
    others = state.running() if not launch.chosen and launch.option("confdir") is None else []
    for one in others:
        if one.port and (found := proxy.running(one.port, one.reverse_port, Path(one.confdir))):
            return found
    return None


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
                    say(
                        "{file} sets {names}, which {agent} prefers to its environment: its calls would go elsewhere, "
                        "or with another key. Take that out of the file.",
                        file=file,
                        names=", ".join(names),
                        agent=self.agent.title,
                    ),
                )
            words = (*arguments_before(self.agent, target, words), *words)
            known = {
                "agent": self.agent.title,
                "address": f"{HOST}:{target.reverse_port}",
                "model": target.model.id,
                "profile": target.profile.name,
            }
            self.say(
                say(
                    "{agent} through {address}: {model} ({profile}), a window of {window:,} tokens",
                    window=target.window,
                    **known,
                )
                if target.window
                else say("{agent} through {address}: {model} ({profile}), whose window is not known", **known)
            )
        else:
            self.say(
                say(
                    "{program} through {address}; its own settings say which model it calls, and where",
                    program=self.call.words[0],
                    address=f"{HOST}:{target.port}",
                )
            )
        try:
            popen = subprocess.Popen([self.program, *words], env=ours.of(os.environ, self.key))
        except OSError as error:
            why = say("{program} can't be started: {why}", program=self.call.words[0], why=error.strerror)
            raise Refused(NOT_EXECUTABLE, why) from None
        self.signals.go_to(popen)
        status = popen.wait()
        return status if status >= 0 else 128 - status

    def say(self, text: str) -> None:
        """Tell the user something before or after the agent."""
        print(f"{self.launch.prefix}{self.launch.command_name}: {text}", file=sys.stderr, flush=True)


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
        raise Refused(NOT_EXECUTABLE, say("{program} is no program that can be run", program=word))
    raise Refused(NOT_FOUND, say("{program}: there is no such program; is it installed, and in PATH?", program=word))


def _key(launch: Launch) -> str:
    """The user's API key, from where the proxy too would take it. Raises `Refused` without one."""
    file = launch.option("hunyuan_api_key_file")
    try:
        key = LentKey(os.environ).configured(KeySettings(Path(file).expanduser() if file else None)).value
    except OptionError as error:
        raise Refused(WRONG_USE, str(error)) from None
    if not key:
        raise Refused(
            WRONG_USE,
            say(
                "the agent needs your API key: set {name}, or {other} to a file with it",
                name=VARIABLE,
                other=FILE_VARIABLE,
            ),
        )
    return key


def _own_window(launch: Launch) -> int | None:
    """The user's `hunyuan_window`, which the agent's own proxy gets too, and checks."""
    given = launch.option("hunyuan_window") or ""
    return int(given) if given.isascii() and given.isdigit() else None


def _proxy_arguments(launch: Launch) -> list[str]:
    """The arguments of the agent's own proxy: the user's, and what they leave open."""
    ours = ["--web"] if launch.web else []
    if launch.option("hunyuan_drain_timeout") is None:
        ours += ["--set", "hunyuan_drain_timeout=2"]  # with the agent gone, no answer is waited for
    return [*ours, *launch.arguments]


def _tail(process: OwnProxy, lines: int = 10) -> str:
    return "\n".join(process.said().splitlines()[-lines:])
