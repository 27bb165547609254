"""pip's output, condensed: what is said while it installs, and where it fails."""

from __future__ import annotations

import ast
import io
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from scripts.lib import installing, sentences
from scripts.lib.installing import Display, Progress

ROOT = Path(__file__).resolve().parents[2]

RAW = """\
Looking in indexes: http://mirror.example/simple
Obtaining file:///somewhere/hunyuan-fix
Collecting mitmproxy<12.3,>=12.2.3 (from hunyuan-fix==0.1.0)
  Downloading mitmproxy-12.2.3-py3-none-any.whl.metadata (5 kB)
Collecting ruamel.yaml<0.20,>=0.18.10 (from hunyuan-fix==0.1.0)
  Using cached ruamel.yaml-0.19.1-py3-none-any.whl (118 kB)
Downloading mitmproxy-12.2.3-py3-none-any.whl (1.7 MB)
Progress 0 of 1652028
Progress 262144 of 1652028
Progress 1652028 of 1652028
Downloading zstandard-0.25.0.whl (5.5 MB)
Progress 1000000 of 5500000
""".splitlines()
"""What pip 24.1 and newer print with `--progress-bar raw`."""


def after(lines: list[str], site: Path, language: str = "en") -> Progress:
    progress = Progress(site, language)
    for line in lines:
        progress.read(line)
    return progress


def test_packages_are_looked_up(tmp_path: Path) -> None:
    said = after(RAW[:5], tmp_path).sentence(3.4)
    assert said == "hunyuan-fix: looking up packages: 2 (3 s)"


@pytest.mark.parametrize(
    ("lines", "packages", "megabytes"), [(7, 2, "1.7"), (9, 2, "0.3"), (10, 2, "1.7"), (12, 3, "2.7")]
)
def test_packages_are_fetched(tmp_path: Path, lines: int, packages: int, megabytes: str) -> None:
    """By the size that pip names until it says how far it is; what its cache had counts as no megabytes."""
    said = after(RAW[:lines], tmp_path).sentence(9.6)
    assert said == f"hunyuan-fix: fetching packages: {packages}, {megabytes} MB so far (10 s)"


def test_an_older_pip_names_sizes_only(tmp_path: Path) -> None:
    progress = after([line for line in RAW if not line.startswith("Progress")], tmp_path)
    assert (progress.packages, progress.megabytes) == (3, "7.2")


def test_packages_are_installed(tmp_path: Path) -> None:
    (tmp_path / "pip-24.2.dist-info").mkdir()
    progress = after([*RAW, "Installing collected packages: brotli, mitmproxy, hunyuan-fix"], tmp_path)
    (tmp_path / "brotli-1.2.0.dist-info").mkdir()
    assert progress.sentence(20) == "hunyuan-fix: installing packages: 1 of 3 (20 s)"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_elsewhere_than_on_a_terminal_there_is_a_line_every_few_seconds() -> None:
    stream = io.StringIO()
    display = Display(stream, every=5)
    for second in (0.2, 4.9, 5.1, 6.0, 9.9, 10.2):
        display.show(f"at {second}", second)
    display.say("done")
    assert stream.getvalue() == "at 5.1\nat 10.2\ndone\n"


def test_on_a_terminal_one_line_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "11")
    stream = Terminal()
    display = Display(stream)
    display.show("0123456789abc", 0)
    display.show("安装中安装中", 0.2)
    display.say("done")
    assert stream.getvalue() == "\r0123456789\x1b[K\r安装中安装\x1b[K\rdone\x1b[K\n"


def test_a_terminal_that_cannot_move_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    Display(stream, every=1).show("line", 2)
    assert stream.getvalue() == "line\n"


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment of its own with pip; returns its Python."""
    venv.create(tmp_path / "environment", with_pip=True)
    return tmp_path / "environment/bin/python"


@pytest.mark.parametrize(
    ("language", "said", "advice"), [("en", "pip failed", "a mirror helps"), ("zh", "安装失败", "国内镜像")]
)
def test_a_failure_shows_what_pip_said_and_what_may_help(
    environment: Path, tmp_path: Path, language: str, said: str, advice: str
) -> None:
    (tmp_path / "constraints.txt").write_text("setuptools==84.2.1\n")
    constraints = str(tmp_path / "constraints.txt")
    command = [str(environment), "-P", "-m", "scripts.lib.installing", "--constraints", constraints]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    done = subprocess.run(
        [*command, "--language", language, str(tmp_path)],
        env=variables | {"PYTHONPATH": str(ROOT), "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    first = next(index for index, line in enumerate(lines) if said in line)
    assert any("ERROR" in line and "setuptools" in line for line in lines[first:])
    assert advice in lines[-1]
    assert "PIP_INDEX_URL" in lines[-1]


def test_what_is_slow_is_said_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With a stand-in for pip that fetches one package and then waits for two looks at it."""
    monkeypatch.setattr(installing, "SLOW_AFTER", -1.0)
    program = "import sys, time; print('Downloading a-1.whl (1.0 MB)', flush=True); sys.stdin.read()"

    def pip(_: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", program]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8")

    monkeypatch.setattr(installing, "_pip", pip)
    stream = io.StringIO()
    assert installing.install(tmp_path / "constraints.txt", "project", "en", stream) == 0
    said = stream.getvalue()
    assert said.count("hunyuan-fix: this is slow.") == 1
    assert said.endswith("hunyuan-fix: 2 packages installed, 2.0 MB fetched (0 s)\n")


def test_every_sentence_has_its_chinese_with_the_same_names() -> None:
    tree = ast.parse(Path(installing.__file__).read_text("utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "said"]
    assert len(calls) > 4
    for call in calls:
        english = ast.literal_eval(call.args[1])
        chinese = sentences.chinese()[english]
        assert set(re.findall(r"\{\w+\}", chinese)) == set(re.findall(r"\{\w+\}", english))
