"""`hunyuan-fix COMMAND`: the console script, which the files in `scripts/` run too.

    hunyuan-fix run --set hunyuan_upstream=https://tokenhub.tencentmaas.com/v1

Only the standard library is imported here, so that `--help` answers at once; each command is imported when it runs.
"""

from __future__ import annotations

import argparse
import codecs
import io
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module, metadata
from types import MappingProxyType
from typing import NamedTuple

from ..config import operating_system
from ..did_you_mean import did_you_mean
from ..texts import terminal
from ..texts.terminal import say
from .arguments import Parser

IN_CLONE = "--scripts"
"""First argument that the files in `scripts/` give: every text then calls the commands `scripts/NAME`."""


class Command(NamedTuple):
    """A command: the module in this folder with its `main`, and one line of help."""

    module: str
    summary: str


COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "run": Command("run", "run the proxy with the addon, on loopback"),
        "record": Command("record", "run an agent, and record what it is answered"),
        "replay": Command("replay", "run an agent, and answer it from a recording: without a network, without a key"),
        "env": Command("env", "print what to set in a shell so that LLM clients use the proxy"),
        "config": Command("config", "print which options count, and where they come from"),
        "doctor": Command("doctor.command", "find what is wrong with the set-up, and say how to fix it"),
        "lint": Command("lint.command", "say what the endpoint refuses in a request, and what the addon changes"),
        "usage": Command("usage", "print what calls used and cost, by day, client, model or session"),
        "token": Command("token", "add and remove tokens of clients that may use the proxy's key"),
        "admin": Command("admin", "print a link by which a browser signs in to the admin server"),
        "mcp": Command("mcp.command", "let agents ask what happened to their requests (MCP server)"),
        "describe": Command(
            "describe", "describe the images of a folder ahead, so that requests with them cost nothing"
        ),
        "demo": Command("demo.command", "show what the addon does, without network or key"),
        "path": Command("path", 'print the addon\'s file: mitmdump -s "$(hunyuan-fix path)"'),
    }
)
"""By name, in the order of the help. `main(arguments, prefix)` of a module returns the exit status; `prefix` is what
stands before a command's name in texts: `hunyuan-fix ` or `scripts/`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status. Exits with status 2 and a usage message for an unknown command."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper) and (
        sys.stdout.errors == "strict" or codecs.lookup(sys.stdout.encoding).name != "utf-8"
    ):
        # A file or pipe whose encoding lacks a character gets its escape, as on standard error: on Windows that is the
        # encoding of the system's language, which may be another than ours; in the locale C it may be ASCII.
        sys.stdout.reconfigure(errors="backslashreplace")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a pipe too gets each line at once: `hunyuan-fix run | tee log`
    terminal.use(terminal.preferred(os.environ, operating_system.locale_name()))
    prefix = "hunyuan-fix "
    if words[:1] == [IN_CLONE]:
        prefix, words = "scripts/", words[1:]
    if words and (command := COMMANDS.get(words[0])):
        try:
            run = import_module(f".{command.module}", __package__).main
            status: int = run(words[1:], prefix)
        except KeyboardInterrupt:
            return operating_system.end_as_interrupted()
        return status
    _parser().parse_args(words)
    return 2  # not reached: without a known command, argparse exits


def _parser() -> Parser:
    width = max(map(len, COMMANDS)) + 2
    lines = [f"  {name:{width}}{say(command.summary)}" for name, command in COMMANDS.items()]
    parser = Parser(
        "hunyuan-fix",
        usage=say("hunyuan-fix COMMAND [ARGUMENTS]"),
        description=say(
            "Repairs LLM requests to TokenHub, Hunyuan and Kimi in flight, as a mitmproxy addon.\n\n"
            "{commands}\n\n`hunyuan-fix COMMAND --help` says more.",
            commands="\n".join(lines),
        ),
    )
    version = f"hunyuan-fix {metadata.version('hunyuan-fix')}"
    parser.add_argument("--version", action="version", version=version, help=say("print the version and end"))
    parser.add_argument("command", metavar="COMMAND", type=_refuse, help=argparse.SUPPRESS)
    return parser


def _refuse(name: str) -> str:
    near = did_you_mean(name, COMMANDS)
    hint = (
        say("did you mean {near}?", near=near) if near else say("commands are {commands}", commands=", ".join(COMMANDS))
    )
    raise argparse.ArgumentTypeError(say("there is no command {name!r}; {hint}", name=name, hint=hint))


if __name__ == "__main__":
    sys.exit(main())
