"""`hunyuan-fix COMMAND`: which commands there are, and what is imported for them."""

from __future__ import annotations

import ast
import json
import signal
import subprocess
import sys
from importlib import import_module, metadata
from inspect import signature
from pathlib import Path

import pytest

from hunyuan_fix.cli import main as cli
from tests.cli.lint_run import CLEAN
from tests.cli.shell_environment import command, environment

FOLDER = Path(cli.__file__).parent


def test_without_a_command_it_shows_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code == 2
    assert "usage: hunyuan-fix COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "hint"),
    [("rnu", "did you mean run?"), ("docter", "did you mean doctor?"), ("xyz", "commands are run, record,")],
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


def test_a_pipe_that_cannot_take_chinese_gets_escapes(tmp_path: Path) -> None:
    given = environment(tmp_path, HUNYUAN_LANGUAGE="zh", PYTHONIOENCODING="cp1252")
    done = subprocess.run(command("run", "--help"), env=given, capture_output=True, check=True)
    assert done.stdout.startswith(b"\\u7528\\u6cd5")


@pytest.mark.parametrize("name", ["run", "env"])
def test_a_folder_that_can_not_hold_the_ca_is_told_with_the_way_out(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    flag = f"--set=confdir={tmp_path}/file/x" if name == "run" else f"--confdir={tmp_path}/file/x"
    done = subprocess.run(command(name, flag), env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith(f"confdir{'=' if name == 'run' else ' '}FOLDER"), done.stderr
    assert "Errno" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="locales of POSIX")
@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["token", "list"]])
def test_in_the_locale_c_chinese_becomes_escapes_too(tmp_path: Path, words: list[str]) -> None:
    """Python's standard output is ASCII there, with an error handler of its own."""
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    given = environment(tmp_path, HUNYUAN_LANGUAGE="zh", **ascii_only)
    done = subprocess.run(command(*words), env=given, capture_output=True, check=True)
    assert b"\\u" in done.stdout + done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_ends_a_command_without_a_word() -> None:
    script = (
        "import signal; from hunyuan_fix.cli import main as cli\n"
        "cli.import_module = lambda *_: signal.raise_signal(signal.SIGINT)\n"
        "cli.main(['run'])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


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


def loaded_by(home: Path, name: str, *arguments: str) -> set[str]:
    """The modules that a command has imported when it ends."""
    call = f"main({[name, *arguments]!r})"
    code = f"import sys; from hunyuan_fix.cli.main import main; {call}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=environment(home),
        input=json.dumps(CLEAN),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert f"hunyuan_fix.cli.{cli.COMMANDS[name].module}" in loaded
    return loaded


def test_env_imports_none_of_mitmproxys_programs(tmp_path: Path) -> None:
    """A shell that starts with it waits for it."""
    slow = {"mitmproxy.tools.main", "mitmproxy.addons", "mitmproxy.http", "httpx", "hypercorn"}
    assert not slow & loaded_by(tmp_path, "env")


@pytest.mark.parametrize(("name", "arguments"), [("lint", []), ("token", ["list"]), ("path", [])])
def test_no_other_command_imports_them_before_it_starts_one(tmp_path: Path, name: str, arguments: list[str]) -> None:
    assert not {"mitmproxy.tools.main", "mitmproxy.addons"} & loaded_by(tmp_path, name, *arguments)


def test_a_door_and_the_console_script_start_the_same(tmp_path: Path) -> None:
    by_door = subprocess.run(command("path"), env=environment(tmp_path), capture_output=True, text=True, check=True)
    assert Path(by_door.stdout.strip()) == FOLDER.parent / "hunyuan_fix.py"
