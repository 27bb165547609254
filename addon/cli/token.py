"""Add and remove the tokens of clients that may use the proxy's key: `hunyuan-fix token`."""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..access.client_tokens import Client, digest_of, is_name, new_token, parse
from ..access.secret_files import SecretFile, SecretFileError
from ..config import operating_system
from ..config.values import data_folder
from ..texts.terminal import say
from .arguments import Parser

FILE_NAME = "clients.toml"


class Refused(Exception):
    """The tokens file can't be read or changed as asked; the text says why."""


class AlreadyThere(Refused):
    """The client has a token; only its hash is kept, so it can't be shown again."""


def command_line(prefix: str) -> Parser:
    """The command's argument parser."""
    parser = Parser(
        f"{prefix}token",
        description=say(
            """\
Adds and removes tokens of clients that may use the key that the proxy lends (HUNYUAN_API_KEY). A client sends
its token in place of an API key. The file has only hashes, so a token is shown once, when it is made. A running
proxy reads a changed file by itself.

  {prefix}token add alice --requests-per-minute 60
  {prefix}token list
  {prefix}token remove alice""",
            prefix=prefix,
        ),
    )
    tokens = data_folder() / FILE_NAME
    file = Parser(add_help=False)
    file.add_argument(
        "--file",
        type=lambda text: Path(text).expanduser().absolute(),
        metavar="FILE",
        default=tokens,
        help=say("the tokens file (default {file})", file=str(tokens).replace("%", "%%")),
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add = commands.add_parser("add", parents=[file], help=say("make a token and print it"))
    add.add_argument("name", metavar="NAME", type=_name, help=say("the client: letters, digits, _ and -"))
    add.add_argument(
        "--requests-per-minute",
        metavar="N",
        type=_limit,
        help=say("requests a minute, 0 for any number (default: the option hunyuan_requests_per_minute)"),
    )
    add.add_argument(
        "--tokens-per-minute",
        metavar="N",
        type=_limit,
        help=say("tokens a minute, 0 for any number (default: the option hunyuan_tokens_per_minute)"),
    )
    remove = commands.add_parser("remove", parents=[file], help=say("remove a token"))
    remove.add_argument("name", metavar="NAME", help=say("the client"))
    commands.add_parser("list", parents=[file], help=say("list the clients that have a token"))
    return parser


def _name(text: str) -> str:
    if not is_name(text):
        raise argparse.ArgumentTypeError(
            say("{text!r} is not a name: accepted are up to 64 letters, digits, _ and -", text=text)
        )
    return text


def _limit(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise argparse.ArgumentTypeError(say("{text!r} is not a whole number from 0 up", text=text))
    return int(text)


def add(path: Path, name: str, requests_per_minute: int | None, tokens_per_minute: int | None) -> str:
    """Add the client to the file, which is made if it is missing. Returns its token. Raises `Refused`."""
    text, clients = _read(path)
    if name in _names(clients):
        raise AlreadyThere(say("{name} has a token already", name=name))
    token = new_token()
    client = Client(name, digest_of(token), requests_per_minute, tokens_per_minute)
    lines = [f"[clients.{name}]", f'hash = "sha256:{client.digest.hex()}"']
    limits = {"requests_per_minute": requests_per_minute, "tokens_per_minute": tokens_per_minute}
    lines += [f"{field} = {limit}" for field, limit in limits.items() if limit is not None]
    before = f"{text.rstrip()}\n\n" if text.strip() else ""
    write(path, before + "\n".join(lines) + "\n", expected=(*clients, client))
    return token


def remove(path: Path, name: str) -> None:
    """Remove the client from the file; the rest of its text stays as written. Raises `Refused`."""
    text, clients = _read(path)
    if name not in _names(clients):
        raise Refused(say("{name} has no token in {file}", name=name, file=path))
    write(path, _without(text, name), expected=tuple(client for client in clients if client.name != name))


def _without(text: str, name: str) -> str:
    """`text` without the table of the client; blank lines and comments after it belong to what follows."""
    lines = text.splitlines(keepends=True)
    head = next((at for at, line in enumerate(lines) if line.split("#")[0].strip() == f"[clients.{name}]"), None)
    if head is None:
        raise Refused(say("The table of {name} is not written as [clients.{name}]: remove it by hand", name=name))
    next_head = next((at for at in range(head + 1, len(lines)) if lines[at].lstrip().startswith("[")), len(lines))
    end = next_head
    while end > head + 1 and not lines[end - 1].split("#")[0].strip():
        end -= 1
    kept = lines[:head] + lines[end:]
    return "".join(kept).lstrip("\n")


def listed(path: Path) -> list[str]:
    """A line for each client. Raises `Refused`."""
    _, clients = _read(path)
    if not clients:
        return [say("No client has a token in {file}", file=path)]
    columns = max(len(client.name) for client in clients)
    return [f"{client.name:{columns}}  {_shown(client)}" for client in clients]


def _shown(client: Client) -> str:
    shown = [say("disabled")] if client.disabled else []
    if client.requests_per_minute:
        shown.append(say("{limit} requests a minute", limit=client.requests_per_minute))
    elif client.requests_per_minute == 0:
        shown.append(say("any number of requests a minute"))
    if client.tokens_per_minute:
        shown.append(say("{limit} tokens a minute", limit=client.tokens_per_minute))
    elif client.tokens_per_minute == 0:
        shown.append(say("any number of tokens a minute"))
    return ", ".join(shown) or say("limits as the options say")


def _names(clients: Sequence[Client]) -> set[str]:
    return {client.name for client in clients}


def _read(path: Path) -> tuple[str, tuple[Client, ...]]:
    """The file's text and its clients; nothing where there is no file."""
    if not path.exists():
        return "", ()
    try:
        return SecretFile(path, lambda text: (text, parse(text))).content
    except SecretFileError as error:
        raise Refused(str(error)) from None


def write(path: Path, text: str, *, expected: tuple[Client, ...]) -> None:
    """Replace the file by `text` in one step, so that the proxy never reads a part of it. Its owner stays the same.

    `expected`: the clients that `text` must have. Raises `Refused`, also if it has others.
    """
    try:
        right = parse(text) == expected
    except ValueError:
        right = False
    if not right:
        raise Refused(say("this command can't change {file} the way it is written: change it by hand", file=path))
    real = path.resolve()
    try:
        real.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, made = tempfile.mkstemp(prefix=f".{real.name}.", dir=real.parent)  # mode 0600
        try:
            with open(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(descriptor)
            operating_system.keep_owner(Path(made), real)
            os.replace(made, real)
        except BaseException:
            Path(made).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise Refused(
            say("{file} can't be written: {why}", file=path, why=error.strerror or type(error).__name__)
        ) from None


def main(arguments: Sequence[str], prefix: str) -> int:
    """Run the subcommand. Only the token goes to standard output; the instructions go to standard error."""
    given = command_line(prefix).parse_args(arguments)
    try:
        match given.command:
            case "add":
                token = add(given.file, given.name, given.requests_per_minute, given.tokens_per_minute)
                print(token)
                print(
                    say(
                        "This is the token of {name}. It is shown only now; set it as the client's API key.\n"
                        "Start the proxy with --set hunyuan_client_tokens_file={file}",
                        name=given.name,
                        file=given.file,
                    ),
                    file=sys.stderr,
                )
            case "remove":
                remove(given.file, given.name)
                print(say("{name} no longer has a token", name=given.name), file=sys.stderr)
            case _:
                print("\n".join(listed(given.file)))
    except AlreadyThere as refused:
        sys.exit(
            say(
                "{program}: {problem}. For a new one: {program} remove {name}, then add it again.",
                program=f"{prefix}token",
                problem=str(refused),
                name=given.name,
            )
        )
    except Refused as refused:
        sys.exit(f"{prefix}token: {refused}")
    return 0
