"""A text names a command as the user can start it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from hunyuan_fix.cli import main as cli
from hunyuan_fix.config import command_names

ADDON = Path(command_names.__file__).parents[1]


@pytest.mark.parametrize("name", [name for name in cli.COMMANDS if name != "path"])
def test_in_a_clone_it_is_a_script(name: str) -> None:
    assert command_names.command(name) == f"scripts/{name}"


def test_elsewhere_it_is_the_console_script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command_names, "_REPOSITORY", tmp_path)
    assert command_names.command("token") == "hunyuan-fix token"
    assert command_names.command("path") == "hunyuan-fix path"


def strings(path: Path) -> list[str]:
    """The texts in a file's code; not its docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docs)
    return [node.value for node in constants if isinstance(node.value, str)]


def test_no_other_text_of_the_proxy_names_a_script() -> None:
    files = [path for path in ADDON.rglob("*.py") if path.parts[len(ADDON.parts)] != "cli"]
    naming = {path.name for path in files if any("scripts/" in text for text in strings(path))}
    assert naming == {"command_names.py"}
