"""The argument parser of every command: argparse in the terminal's language, with proposals for misspelt options."""

from __future__ import annotations

import argparse
import re
import sys
import unicodedata
from collections.abc import Sequence
from typing import Any, NoReturn, override

from ..columns import width
from ..did_you_mean import did_you_mean
from ..texts import sentences, terminal
from ..texts.terminal import say

ARGPARSES_OWN = (
    "argument {name}: {problem}",
    "unrecognized arguments: {arguments}",
    "the following arguments are required: {names}",
    "one of the arguments {names} is required",
    "not allowed with argument {name}",
    "ignored explicit argument {value}",
    "expected one argument",
    "expected at most one argument",
    "expected at least one argument",
    "expected {count} arguments",
    "invalid {type} value: {value}",
    "invalid choice: {value} (choose from {choices})",
    "unknown parser {name} (choices: {choices})",
)
"""What argparse says in errors, as templates: their translations are found by them (`sentences.translated`)."""

_CHINESE_HEADING = re.compile(r"(?<=[\u3400-\u9fff]):$", re.MULTILINE)
"""The colon that argparse puts after a heading."""


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` for people.

    Headings, errors and the help of `--help` are in the terminal's language; texts that are given to it must be so
    already (`say`). Descriptions keep their lines. Options can't be abbreviated, and a misspelt one is refused with
    the one that is most like it. Parsers of subcommands (`add_subparsers`) are of this class too.

        parser = Parser(f"{prefix}token", description=say("Adds and removes …"))
        parser.add_argument("--file", help=say("the tokens file (default {file})", file=default))
        given = parser.parse_args(arguments)

    `usage`: without the heading `usage: `, in as many lines as needed. `add_help=False`: for a parser that is a parent
    of others.
    """

    def __init__(self, prog: str | None = None, *, add_help: bool = True, **keywords: Any) -> None:
        keywords.setdefault("formatter_class", _Formatter)
        super().__init__(prog, add_help=False, allow_abbrev=False, **keywords)
        if add_help:
            self.add_argument("-h", "--help", action="help", help=say("show this help and end"))

    @override
    def parse_args(  # type: ignore[override] # argparse declares a variant for each kind of namespace
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """What `args` say. Exits with status 2 and a message for what isn't valid."""
        given, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.error(_unrecognized(unknown, self.options))
        return given

    @property
    def options(self) -> list[str]:
        """The long options, those of subcommands among them: what these don't know comes back to this parser."""
        below = [action.choices.values() for action in self._actions if isinstance(action, argparse._SubParsersAction)]
        parsers = [self, *(parser for parsers in below for parser in parsers)]
        names = [name for parser in parsers for name in parser._option_string_actions]
        return [name for name in dict.fromkeys(names) if name.startswith("--")]

    @override
    def error(self, message: str) -> NoReturn:
        """Print the usage and `message`, translated if it is one of argparse's own, and exit with status 2."""
        self.print_usage(sys.stderr)
        said = sentences.translated(terminal.language(), message)
        self.exit(2, say("{program}: error: {message}", program=self.prog, message=said) + "\n")


def _unrecognized(words: Sequence[str], options: Sequence[str]) -> str:
    arguments = say("unrecognized arguments: {arguments}", arguments=" ".join(words))
    for word in words:
        name = word.partition("=")[0]
        if name.startswith("--") and (near := proposal(name, options)):
            return say("{problem}; did you mean {near}?", problem=arguments, near=near)
    return arguments


def proposal(name: str, options: Sequence[str]) -> str | None:
    """The option that `name` abbreviates, if it is one alone, or else the one that is most like it."""
    longer = [option for option in options if option.startswith(name)]
    return longer[0] if len(longer) == 1 else did_you_mean(name, options)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Lines of a description stay as they are. Chinese characters count as two columns where lines are broken."""

    @override
    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        super().add_usage(usage, actions, groups, say("usage: ") if prefix is None else prefix)

    @override
    def start_section(self, heading: str | None) -> None:
        # Here, not where the parser is made: it finds the groups of its parents by argparse's own titles.
        if heading == "options":
            heading = say("options")
        elif heading == "positional arguments":
            heading = say("arguments")
        super().start_section(heading)

    @override
    def format_help(self) -> str:
        return _CHINESE_HEADING.sub("：", super().format_help())

    @override
    def _split_lines(self, text: str, width: int) -> list[str]:
        if all(map(str.isascii, text)):
            return super()._split_lines(text, width)
        return wrapped(" ".join(text.split()), width)


def wrapped(text: str, columns: int) -> list[str]:
    """`text` in lines of at most `columns`, broken at spaces and between Chinese characters."""
    # 1. Pieces that stay together: words, and single wide characters with the punctuation after them.
    pieces: list[str] = []
    for word in re.split(r"(\s+)", text):
        for character in word:
            joins = pieces and (
                not (_is_wide(character) or _is_wide(pieces[-1][-1]))
                and not pieces[-1][-1].isspace()
                and not character.isspace()
            )
            if joins or (pieces and character in _NOT_FIRST):
                pieces[-1] += character
            else:
                pieces.append(character)
    # 2. As many as fit into each line.
    lines, line = [], ""
    for piece in pieces:
        if line and width(line + piece.rstrip()) > columns:
            lines.append(line.rstrip())
            line = piece.lstrip()
        else:
            line += piece
    return [*lines, line.rstrip()] if line.strip() else lines


_NOT_FIRST = "，。；：！？、）》」』”’,.;:!?)"
"""Punctuation that begins no line."""


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in ("W", "F")
