"""Which sentences the code says: what `texts/sentences` must have in other languages."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from hunyuan_fix.cli import arguments, main

ADDON = Path(__file__).resolve().parents[2] / "addon"


def said_by_calls() -> Iterator[str]:
    """The template in each call of `say(template, …)` and `sentences.said(language, template, …)`.

    Raises `AssertionError` for one that is put together where it is said: nobody could look it up.
    """
    for path in sorted(ADDON.rglob("*.py")):
        if path.is_relative_to(ADDON / "texts"):
            continue
        text = path.read_text("utf-8")
        places = _PLACES if _SAY.search(text) else {"sentences.said": 1}
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and (function := ast.unparse(node.func)) in places:
                yield from _templates(node.args[places[function]], f"{path.relative_to(ADDON)}:{node.lineno}")


_SAY = re.compile(r"^from (?:\.+|hunyuan_fix\.)(?:texts)?(?:\.terminal)? import .*\b(?:say|terminal)\b", re.MULTILINE)
_PLACES = {"say": 0, "terminal.say": 0, "sentences.said": 1}
"""Functions that say something, and which argument is the template."""


def _templates(node: ast.expr, place: str) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _templates(node.body, place)
        yield from _templates(node.orelse, place)
    else:
        # A template that stands elsewhere, as data does: its collector below has it.
        assert isinstance(node, ast.Name | ast.Attribute | ast.Subscript), f"{place}: a template is a plain text"


def said_by_argparse() -> Iterator[str]:
    """What argparse says in errors, which `cli/arguments.py` translates."""
    yield from arguments.ARGPARSES_OWN


def summaries_of_commands() -> Iterator[str]:
    """What `hunyuan-fix --help` says of each command."""
    yield from (command.summary for command in main.COMMANDS.values())


COLLECTORS: list[Callable[[], Iterator[str]]] = [said_by_calls, said_by_argparse, summaries_of_commands]
"""Each gives the sentences of one kind: those in calls, and those of data such as a catalogue."""


def all_sentences() -> set[str]:
    """Every English sentence that the program can say to a person."""
    return {sentence for collector in COLLECTORS for sentence in collector()}
