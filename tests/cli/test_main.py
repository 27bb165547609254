"""`hunyuan-fix COMMAND`: which commands there are, and what is imported for them."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module, metadata
from inspect import signature
from pathlib import Path

import pytest

from hunyuan_fix.cli import main as cli
from tests.cli.shell_environment import command, environment

FOLDER = Path(cli.__file__).parent


def test_without_a_command_it_shows_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code == 2
    assert "usage: hunyuan-fix COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "hint"), [("rnu", "is run meant?"), ("docter", "is doctor meant?"), ("xyz", "run, env")]
)
def test_a_command_that_is_none(capsys: pytest.CaptureFixture[str], word: str, hint: str) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([word, "--port", "1"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert f"there is no command '{word}'" in said
    assert hint in said


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"hunyuan-fix {metadata.version('hunyuan-fix')}\n"


@pytest.mark.parametrize("name", cli.COMMANDS)
@pytest.mark.parametrize(("first", "prefix"), [([], "hunyuan-fix "), ([cli.IN_CLONE], "scripts/")])
def test_each_command_calls_itself_as_it_was_started(
    capsys: pytest.CaptureFixture[str], name: str, first: list[str], prefix: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([*first, name, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: {prefix}{name}")
    other = "scripts/" if prefix != "scripts/" else "hunyuan-fix "
    assert other not in said.replace("mitmdump -s", "")


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_each_command_has_a_main(name: str) -> None:
    main = import_module(f"hunyuan_fix.cli.{cli.COMMANDS[name].module}").main
    assert list(signature(main).parameters) == ["arguments", "prefix"]


def imported(path: Path) -> set[str]:
    """The top-level names of other packages that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module).split(".")[0])
    return found


def test_one_file_imports_mitmproxy() -> None:
    assert [path.name for path in FOLDER.rglob("*.py") if "mitmproxy" in imported(path)] == ["mitmproxy_api.py"]


def test_the_usage_needs_the_standard_library_alone() -> None:
    assert imported(FOLDER / "main.py") - sys.stdlib_module_names == set()


def test_env_imports_none_of_mitmproxys_programs(tmp_path: Path) -> None:
    """A shell that starts with it waits for it."""
    code = "import sys; from hunyuan_fix.cli.main import main; main(['env']); print(*sys.modules)"
    given = environment(tmp_path)
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=given, capture_output=True, text=True, timeout=60, check=True
    )
    loaded = done.stdout.splitlines()[-1].split()
    assert "hunyuan_fix.cli.env" in loaded
    assert not {"mitmproxy.tools.main", "mitmproxy.addons", "mitmproxy.http", "httpx", "hypercorn"} & set(loaded)


def test_a_door_and_the_console_script_start_the_same(tmp_path: Path) -> None:
    by_door = subprocess.run(command("path"), env=environment(tmp_path), capture_output=True, text=True, check=True)
    assert Path(by_door.stdout.strip()) == FOLDER.parent / "hunyuan_fix.py"
