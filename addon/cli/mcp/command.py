"""`hunyuan-fix mcp`: an MCP server by which agents ask what happened to their requests."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Sequence
from importlib import util
from pathlib import Path
from typing import Final

from ...observe.admin.token import VARIABLE
from ...texts.terminal import say
from ..arguments import Parser
from .admin_api import FILE_VARIABLE, AdminApi

_SDK: Final = "mcp"
"""What the extra brings. This package has another name: hunyuan_fix.cli.mcp."""
NEEDED: Final = (3, 13)
"""The Python that the SDK can be installed for beside mitmproxy, which holds back a package that both need on 3.12."""


def command_line(prefix: str) -> Parser:
    """The parser of the command."""
    parser = Parser(
        f"{prefix}mcp",
        description=say(
            "Serves the Model Context Protocol over standard input and output: a coding agent that starts it can ask "
            "what the proxy changed in its requests, why one failed or was slow, and what broke its prompt cache. It "
            "only reads. It asks the admin server of the proxy that runs; the token, where that has one, is that of "
            "--token-file, else of {variable} or {file_variable}.",
            variable=VARIABLE,
            file_variable=FILE_VARIABLE,
        ),
    )
    parser.add_argument(
        "--url",
        metavar="URL",
        default="",
        help=say("the admin server's address (default: that of the proxy that runs)"),
    )
    parser.add_argument("--token-file", type=Path, metavar="FILE", help=say("the file of hunyuan_admin_token_file"))
    return parser


def main(arguments: Sequence[str], prefix: str) -> int:
    """Serve until the client closes standard input; 2 where the SDK is missing. Prints nothing else to it."""
    given = command_line(prefix).parse_args(arguments)
    if util.find_spec(_SDK) is None:
        print(missing(prefix), file=sys.stderr)
        return 2
    if sys.stdin.isatty():
        print(
            say("{program} waits for an MCP client at standard input; Ctrl-C ends it.", program=f"{prefix}mcp"),
            file=sys.stderr,
        )
    from . import serving  # noqa: PLC0415 - it imports the SDK, which takes two seconds

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    token_file = given.token_file.expanduser().absolute() if given.token_file else None
    asyncio.run(serving.serve(AdminApi(given.url, token_file)))
    return 0


def missing(prefix: str) -> str:
    """How to add the SDK."""
    if sys.version_info < NEEDED:
        return say(
            "{program} needs the package mcp, which can't be installed beside mitmproxy on this Python "
            "({version}). Use {needed} or newer: `uv tool install --python {needed} '.[mcp]'` in a clone's folder, or "
            "HUNYUAN_FIX_PYTHON=python{needed} scripts/mcp.",
            program=f"{prefix}mcp",
            version=".".join(map(str, sys.version_info[:2])),
            needed=".".join(map(str, NEEDED)),
        )
    if prefix == "scripts/":
        return say(
            "{program} needs the package mcp, and adds it when it is started by its own file: {program}.",
            program=f"{prefix}mcp",
        )
    return say(
        "{program} needs the package mcp, which is not installed. Add it with the tool that hunyuan-fix was installed "
        "by, in a clone's folder:\n  pipx install --force '.[mcp]'\n  uv tool install --force '.[mcp]'\n"
        "  pip install '.[mcp]'          (elsewhere: pip install 'hunyuan-fix[mcp]')",
        program=f"{prefix}mcp",
    )
