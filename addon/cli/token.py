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

_USAGE = """\
Adds and removes tokens of clients that may use the key that the proxy lends (HUNYUAN_API_KEY). A client sends
its token in place of an API key. The file has only hashes, so a token is shown once, when it is made. A running
proxy reads a changed file by itself.

  {prefix}token add alice --requests-per-minute 60
  {prefix}token list
  {prefix}token remove alice"""

FILE_NAME = "clients.toml"


class Refused(Exception):
    """The tokens file can't be read or changed as asked; the text says why."""


class AlreadyThere(Refused):
    """The client has a token; only its hash is kept, so it can't be shown again."""


def command_line(prefix: str) -> argparse.ArgumentParser:
    """The command's argument parser."""
    parser = argparse.ArgumentParser(
        f"{prefix}token",
        description=_USAGE.format(prefix=prefix),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    file = argparse.ArgumentParser(add_help=False)
    file.add_argument(
        "--file",
        type=lambda text: Path(text).expanduser().absolute(),
        default=data_folder() / FILE_NAME,
        help="the tokens file (default %(default)s)",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add = commands.add_parser("add", parents=[file], help="make a token and print it", allow_abbrev=False)
    add.add_argument("name", metavar="NAME", type=_name, help="the client: letters, digits, _ and -")
    for what in ("requests", "tokens"):
        add.add_argument(
            f"--{what}-per-minute",
            metavar="N",
            type=_limit,
            help=f"{what} a minute, 0 for any number (default: the option hunyuan_{what}_per_minute)",
        )
    remove = commands.add_parser("remove", parents=[file], help="remove a token", allow_abbrev=False)
    remove.add_argument("name", metavar="NAME", help="the client")
    commands.add_parser("list", parents=[file], help="list the clients that have a token", allow_abbrev=False)
    return parser


def _name(text: str) -> str:
    if not is_name(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a name: accepted are up to 64 letters, digits, _ and -")
    return text


def _limit(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 up")
    return int(text)


def add(path: Path, name: str, requests_per_minute: int | None, tokens_per_minute: int | None) -> str:
    """Add the client to the file, which is made if it is missing. Returns its token. Raises `Refused`."""
    text, clients = _read(path)
    if name in _names(clients):
        raise AlreadyThere(f"{name} has a token already")
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
        raise Refused(f"{name} has no token in {path}")
    write(path, _without(text, name), expected=tuple(client for client in clients if client.name != name))


def _without(text: str, name: str) -> str:
    """`text` without the table of the client; blank lines and comments after it belong to what follows."""
    lines = text.splitlines(keepends=True)
    head = next((at for at, line in enumerate(lines) if line.split("#")[0].strip() == f"[clients.{name}]"), None)
    if head is None:
        raise Refused(f"The table of {name} is not written as [clients.{name}]: remove it by hand")
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
        return [f"No client has a token in {path}"]
    columns = max(len(client.name) for client in clients)
    return [f"{client.name:{columns}}  {_shown(client)}" for client in clients]


def _shown(client: Client) -> str:
    limits = {"requests": client.requests_per_minute, "tokens": client.tokens_per_minute}
    shown = [f"{limit or 'any number of'} {what} a minute" for what, limit in limits.items() if limit is not None]
    return ", ".join([*(["disabled"] if client.disabled else []), *shown]) or "limits as the options say"


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
        raise Refused(f"this command can't change {path} the way it is written: change it by hand")
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
        raise Refused(f"{path} can't be written: {error.strerror or type(error).__name__}") from None


def main(arguments: Sequence[str], prefix: str) -> int:
    """Run the subcommand. Only the token goes to standard output; the instructions go to standard error."""
    given = command_line(prefix).parse_args(arguments)
    try:
        match given.command:
            case "add":
                token = add(given.file, given.name, given.requests_per_minute, given.tokens_per_minute)
                print(token)
                print(
                    f"This is the token of {given.name}. It is shown only now; set it as the client's API key.\n"
                    f"Start the proxy with --set hunyuan_client_tokens_file={given.file}",
                    file=sys.stderr,
                )
            case "remove":
                remove(given.file, given.name)
                print(f"{given.name} no longer has a token", file=sys.stderr)
            case _:
                print("\n".join(listed(given.file)))
    except AlreadyThere as refused:
        sys.exit(f"{prefix}token: {refused}. For a new one: {prefix}token remove {given.name}, then add it again.")
    except Refused as refused:
        sys.exit(f"{prefix}token: {refused}")
    return 0
