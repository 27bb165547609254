"""The sentences of errors: of the catalogue, of the data about endpoints, and the reasons that are filled into both."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from hunyuan_fix import profiles
from hunyuan_fix.access.keys import Withheld
from hunyuan_fix.config.command_names import command
from hunyuan_fix.dialects import errors
from hunyuan_fix.upstream import connection
from hunyuan_fix.wire import flaws, vendor_errors
from hunyuan_fix.wire.flaws import Flaw
from hunyuan_fix.wire.proxy_errors import CATALOGUE
from scripts.lib import error_page

ADDON = Path(__file__).resolve().parents[2] / "addon"
_RAISED = frozenset(
    ["BadRequest", "TooLong", "TooManyValues", "CallFailed", "CallTimedOut", "UnusableCredentials", "_refused"]
)
"""What is called with a reason that stands in a message as `why`, `kind` or `count`."""


def said_by_errors() -> Iterator[str]:
    """Everything that a client, the log or docs/errors.md can be told of an error."""
    for entry in CATALOGUE.values():
        yield from (text for text in (entry.message, entry.when, entry.advice) if not re.fullmatch(r"\{\w+\}", text))
    yield from error_page.headings()
    yield from vendor_errors.TEMPLATES
    yield from errors.TEMPLATES
    yield from vendor_errors.explanations()
    yield from (rule.says for name in profiles.names() for rule in profiles.load(name).errors if rule.says)
    yield from (reason.value.replace(command("token"), "{command}") for reason in Withheld)
    yield from (value.what for value in vars(flaws).values() if isinstance(value, Flaw))
    yield from (kind for _, kind in connection._KINDS)
    yield from ("requests", "tokens")  # `access.rate_limits`: what is counted
    yield from ("its body is not valid JSON", "it is no JSON object")  # `hooks.request_body`: what can't be read
    yield from _reasons()


def _reasons() -> Iterator[str]:
    """The reasons in the code: a text, or a text with values, beside the call or in a variable of the same function."""
    for path in sorted(ADDON.rglob("*.py")):
        text = path.read_text("utf-8")
        if not any(f"{name}(" in text for name in _RAISED):
            continue
        for function in ast.walk(ast.parse(text)):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
                yield from _reasons_in(function)


def _reasons_in(scope: ast.FunctionDef | ast.AsyncFunctionDef | ast.Module) -> Iterator[str]:
    nodes = list(ast.walk(scope)) if not isinstance(scope, ast.Module) else list(_top_level(scope))
    variables: dict[str, list[ast.expr]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            variables.setdefault(node.targets[0].id, []).append(node.value)
    for node in nodes:
        name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if isinstance(node, ast.Call) and node.args and name in _RAISED:
            first = node.args[0]
            given = variables.get(first.id, []) if isinstance(first, ast.Name) else [first]
            for value in given:
                text = _template(value)
                if text and not re.fullmatch(r"\{\w+\}", text):
                    yield text


def _top_level(module: ast.Module) -> Iterator[ast.AST]:
    for statement in module.body:
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from ast.walk(statement)


def _template(value: ast.expr) -> str:
    """A text as the catalogue has it: with a name in braces for each value that an f-string fills in."""
    if isinstance(value, ast.Constant):
        return str(value.value)
    if not isinstance(value, ast.JoinedStr):
        return ""
    pieces = []
    for part in value.values:
        if isinstance(part, ast.Constant):
            pieces.append(str(part.value).replace("{", "{{").replace("}", "}}"))
        elif isinstance(part, ast.FormattedValue):
            names = [node for node in ast.walk(part.value) if isinstance(node, ast.Name | ast.Attribute)]
            pieces.append("{" + re.findall(r"[A-Za-z]+", ast.unparse(names[0]))[-1].lower() + "}")
    return "".join(pieces)
