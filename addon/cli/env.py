"""Print what a client's environment needs to use the proxy, in the syntax of a shell: `hunyuan-fix env`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..access.keys import VARIABLE
from ..texts.terminal import say
from . import state
from .addresses import PORT, PORTS, REVERSE_PORT, add_confdir, add_port, add_reverse_port
from .agents import proxy
from .agents.proxy import Proxy
from .agents.table import Agent, add_agent, agents
from .agents.variables import Target, arguments_before, config_file, stronger_settings, variables
from .arguments import Parser
from .client_setup import client_variables, ensure_files, stronger_variables
from .shells import SHELLS, detected
from .state import Running


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to print: the shell, the proxy, whether to unset the variables instead, the agent and its model."""

    shell: str
    port: int
    confdir: Path
    unset: bool
    reverse_port: int = REVERSE_PORT
    agent: Agent | None = None
    model: str | None = None


def parse(arguments: Sequence[str], environment: Mapping[str, str], prefix: str) -> Wanted:
    """Read the command line. Exits with a usage error, also for a `$SHELL` whose syntax isn't known here."""
    parser = Parser(
        f"{prefix}env",
        description=say(
            """\
Prints the variables that send LLM clients started from this shell through the proxy:
  {eval:74}bash, zsh
  {fish:74}fish
  {powershell:74}PowerShell
  {cmd:74}cmd
The ports are those of the proxy that runs, or the usual ones. The proxy's CA and the bundle that SSL_CERT_FILE names
are made if they are missing. Running clients keep the environment they were started with: restart them.

With --for the variables of a coding agent are printed too: what `{prefix}run -- AGENT` would set. The key itself is
not printed: the lines take it from HUNYUAN_API_KEY.""",
            eval=SHELLS["sh"].activation(f"{prefix}env"),
            fish=SHELLS["fish"].activation(f"{prefix}env --shell fish"),
            powershell=SHELLS["powershell"].activation(f"{prefix}env --shell powershell"),
            cmd=SHELLS["cmd"].activation(f"{prefix}env --shell cmd"),
            prefix=prefix,
        ),
    )
    parser.add_argument("--shell", choices=list(SHELLS), help=say("default: by $SHELL"))
    add_port(parser)
    add_reverse_port(parser)
    add_confdir(parser)
    add_agent(parser)
    parser.add_argument("--unset", action="store_true", help=say("print how to remove the variables instead"))
    given = parser.parse_args(arguments)
    shell = given.shell or detected(environment)
    if shell is None:
        shell, names = environment["SHELL"], ", ".join(SHELLS)
        parser.error(say("$SHELL is {shell!r}; name your shell: --shell {names}", shell=shell, names=names))
    if given.model and not given.agent:
        parser.error(say("--model is about an agent: name it with --for"))
    if runs := _running(arguments, environment):
        given.port, given.reverse_port, given.confdir = runs.port, runs.reverse_port, Path(runs.confdir)
    return Wanted(
        shell,
        given.port,
        given.confdir.expanduser().absolute(),
        given.unset,
        given.reverse_port,
        agents()[given.agent] if given.agent else None,
        given.model,
    )


def _running(arguments: Sequence[str], environment: Mapping[str, str]) -> Running | None:
    """The proxy whose ports are meant where the user names none: one on the usual ports, else the latest that runs."""
    flags = {word.partition("=")[0] for word in arguments}
    if flags & {*PORTS, "--confdir"} or any(environment.get(variable) for variable in PORTS.values()):
        return None
    found = [one for one in state.running() if one.port]
    return next((one for one in found if one.port == PORT), found[0] if found else None)


def lines(wanted: Wanted, environment: Mapping[str, str]) -> list[str]:
    """The commands for the shell; `environment` is the one that they change."""
    shell = SHELLS[wanted.shell]
    variables = client_variables(wanted.port, wanted.confdir)
    stronger = stronger_variables(variables, environment)
    if wanted.unset:
        taken = [name for name, value in stronger.items() if environment[name] == value]
        return [shell.unset(name) for name in [*variables, *taken]]
    return [shell.export(name, value) for name, value in (variables | stronger).items()]


def agent_lines(agent: Agent, target: Target, wanted: Wanted, environment: Mapping[str, str]) -> list[str]:
    """The same with what `agent` needs. No line has a key: the shell copies it."""
    shell = SHELLS[wanted.shell]
    if wanted.unset:
        # As if every variable were empty: so all that this command may have set has a value.
        ours = variables(agent, target, dict.fromkeys(environment, ""))
        always = [*client_variables(wanted.port, wanted.confdir), *agent.set]
        same = [name for name, value in ours.values.items() if name not in always and environment.get(name) == value]
        return [shell.unset(name) for name in [*always, *same] if name != VARIABLE]
    ours = variables(agent, target, environment)
    return [
        *(shell.unset(name) for name in ours.unset if name in environment),
        *(shell.export(name, value) for name, value in ours.values.items()),
        *(shell.copy(name, VARIABLE) for name in ours.keys if name != VARIABLE),
    ]


def notes(agent: Agent, target: Target, environment: Mapping[str, str]) -> list[str]:
    """What the user must know beside the lines for `agent`."""
    ours = variables(agent, target, environment)
    found = [
        say(
            "{file} sets {names}, which {agent} prefers to its environment: take that out of the file",
            file=file,
            names=", ".join(names),
            agent=agent.title,
        )
        for file, names in stronger_settings(agent, ours.values, environment)
    ]
    if not environment.get(VARIABLE):
        found.append(say("{name} isn't set here, and the lines take the key from it", name=VARIABLE))
    if words := arguments_before(agent, target, ()):
        found.append(say("start it as {command}", command=" ".join([agent.commands[0], *words])))
    if settings := config_file(agent, target):
        found.append(
            say("or put this into its config.toml, and start it without them:\n{lines}", lines=settings.rstrip())
        )
    return found


def main(arguments: Sequence[str], prefix: str) -> int:
    """Print the commands and nothing else; errors go to standard error."""
    wanted = parse(arguments, os.environ, prefix)
    if not wanted.unset:
        try:
            ensure_files(wanted.confdir)
        except (OSError, ValueError) as error:
            sys.exit(
                say(
                    "{program}: the proxy's CA can't be made or read in {folder}: {why}. For another folder: {flag}",
                    program=f"{prefix}env",
                    folder=wanted.confdir,
                    why=getattr(error, "strerror", None) or error,
                    flag="--confdir FOLDER",
                )
            )
    if wanted.agent:
        # The model of the endpoint behind the proxy that runs, of TokenHub where none runs.
        found = proxy.running(wanted.port, wanted.reverse_port, wanted.confdir)
        found = found or Proxy(wanted.port, wanted.reverse_port, wanted.confdir, profile="")
        target = Target.by(found, wanted.model)
        printed = agent_lines(wanted.agent, target, wanted, os.environ)
        for note in [] if wanted.unset else notes(wanted.agent, target, os.environ):
            print(f"{prefix}env: {note}", file=sys.stderr)
    else:
        printed = lines(wanted, os.environ)
    # As bytes: a path may hold what standard output's encoding can't.
    sys.stdout.buffer.write(os.fsencode("".join(f"{line}\n" for line in printed)))
    return 0
