"""Print what a client's environment needs to use the proxy, in the syntax of a shell: `hunyuan-fix env`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from .addresses import add_confdir, add_port
from .client_setup import client_variables, ensure_files
from .shells import SHELLS, detected

_USAGE = """\
Prints the variables that send LLM clients started from this shell through the proxy:
  {eval:74}bash, zsh
  {fish:74}fish
  {powershell:74}PowerShell
The proxy's CA and the bundle that SSL_CERT_FILE names are made if they are missing. Running clients
keep the environment they were started with: restart them."""

_STRONGER: Mapping[str, str] = MappingProxyType(
    {
        "https_proxy": "HTTPS_PROXY",
        "CURL_CA_BUNDLE": "SSL_CERT_FILE",
        "CODEX_CA_CERTIFICATE": "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE": "SSL_CERT_FILE",
    }
)
"""Variables that some programs prefer to ours -> ours. If such a variable is set, it must get our value."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to print: the shell, the proxy, and whether to unset the variables instead."""

    shell: str
    port: int
    confdir: Path
    unset: bool


def parse(arguments: Sequence[str], environment: Mapping[str, str], prefix: str) -> Wanted:
    """Read the command line. Exits with a usage error, also for a `$SHELL` whose syntax isn't known here."""
    parser = argparse.ArgumentParser(
        f"{prefix}env",
        description=_USAGE.format(
            eval=SHELLS["sh"].activation(f"{prefix}env"),
            fish=SHELLS["fish"].activation(f"{prefix}env --shell fish"),
            powershell=SHELLS["powershell"].activation(f"{prefix}env --shell powershell"),
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--shell", choices=list(SHELLS), help="default: by $SHELL")
    add_port(parser)
    add_confdir(parser)
    parser.add_argument("--unset", action="store_true", help="print how to remove the variables instead")
    given = parser.parse_args(arguments)
    shell = given.shell or detected(environment)
    if shell is None:
        parser.error(f"$SHELL is {environment['SHELL']!r}; name your shell: --shell {', '.join(SHELLS)}")
    return Wanted(shell, given.port, given.confdir.expanduser().absolute(), given.unset)


def lines(wanted: Wanted, environment: Mapping[str, str]) -> list[str]:
    """The commands for the shell; `environment` is the one that they change."""
    variables = client_variables(wanted.port, wanted.confdir)
    stronger = {name: variables[ours] for name, ours in _STRONGER.items() if name in environment}
    shell = SHELLS[wanted.shell]
    if wanted.unset:
        taken = [name for name, value in stronger.items() if environment[name] == value]
        return [shell.unset(name) for name in [*variables, *taken]]
    return [shell.export(name, value) for name, value in (variables | stronger).items()]


def main(arguments: Sequence[str], prefix: str) -> int:
    """Print the commands and nothing else; errors go to standard error."""
    wanted = parse(arguments, os.environ, prefix)
    if not wanted.unset:
        try:
            ensure_files(wanted.confdir)
        except (OSError, ValueError) as error:
            sys.exit(f"{prefix}env: the proxy's CA can't be made or read in {wanted.confdir}: {error}")
    # As bytes: a path may hold what standard output's encoding can't.
    sys.stdout.buffer.write(os.fsencode("".join(f"{line}\n" for line in lines(wanted, os.environ))))
    return 0
