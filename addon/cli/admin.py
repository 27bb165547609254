"""Links by which a browser signs in to the admin server: `hunyuan-fix admin link`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ..config.option import OptionError
from ..observe.admin import links
from ..observe.admin.settings import AdminSettings
from ..observe.admin.token import VARIABLE, AdminToken
from ..texts.terminal import say
from . import state
from .arguments import Parser

FILE_VARIABLE = "HUNYUAN_ADMIN_TOKEN_FILE"
"""The variable of the option."""


def command_line(prefix: str) -> Parser:
    """The parser of the command."""
    parser = Parser(
        f"{prefix}admin",
        description=say(
            "Prints a link by which a browser signs in to the admin server of the proxy that runs. It holds for "
            "{minutes} minutes, and once. The token is that of --token-file, else of {variable} or {file_variable}, as "
            "the proxy has it.",
            minutes=round(links.LIFETIME / 60),
            variable=VARIABLE,
            file_variable=FILE_VARIABLE,
        ),
    )
    parser.add_argument("command", choices=("link",), help=say("print a link"))
    parser.add_argument(
        "--url", metavar="URL", help=say("the admin server's address (default: that of the proxy that runs)")
    )
    parser.add_argument("--token-file", type=Path, metavar="FILE", help=say("the file of hunyuan_admin_token_file"))
    return parser


def main(arguments: Sequence[str], prefix: str) -> int:
    """Print the link and nothing else. Without a token anywhere, it is the address, which needs no signing in."""
    given = command_line(prefix).parse_args(arguments)
    url = given.url or next((one.admin_url for one in state.running() if one.admin_url), "")
    if not url:
        sys.exit(say("{program}: no admin server runs here; name its address with --url", program=f"{prefix}admin"))
    try:
        token = AdminToken(os.environ).configured(AdminSettings(admin_token_file=_file(given))).value
    except OptionError as error:
        sys.exit(f"{prefix}admin: {error}")
    if not token:
        sys.exit(
            say(
                "{program}: which token? Name its file with --token-file, or set {variable}. A proxy without a token "
                "needs no link: {url}/",
                program=f"{prefix}admin",
                variable=VARIABLE,
                url=url,
            )
        )
    print(f"{url.rstrip('/')}{links.path(token, time.time())}")
    return 0


def _file(given: argparse.Namespace) -> Path | None:
    named = given.token_file or os.environ.get(FILE_VARIABLE, "").strip()
    return Path(named).expanduser().absolute() if named else None
