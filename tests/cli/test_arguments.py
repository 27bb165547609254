"""The parser of every command: in the terminal's language, without abbreviations."""

from __future__ import annotations

import argparse
import gettext
import inspect
import re
from collections.abc import Iterator

import pytest

from hunyuan_fix.cli import arguments
from hunyuan_fix.cli.arguments import Parser, wrapped
from hunyuan_fix.columns import width
from hunyuan_fix.texts import sentences, terminal

HAN = re.compile(r"[\u3400-\u9fff]")


@pytest.fixture
def chinese() -> Iterator[None]:
    before = terminal.language()
    terminal.use("zh")
    yield
    terminal.use(before)


def parser() -> Parser:
    made = Parser("hunyuan-fix x", description="d\n  e")
    made.add_argument("--upstream", help="h")
    made.add_argument("--upstream-auth")
    made.add_argument("--number", type=int)
    made.add_argument("--kind", choices=["a", "b"])
    made.add_argument("--pair", nargs=2)
    either = made.add_mutually_exclusive_group()
    either.add_argument("--yes", action="store_true")
    either.add_argument("--no", action="store_true")
    made.add_argument("name")
    return made


WRONG = {
    "x --number": "--number: expected one argument",
    "x --number y": "--number: invalid int value: 'y'",
    "x --kind c": "--kind: invalid choice: 'c' (choose from ",
    "x --pair 1": "--pair: expected 2 arguments",
    "x --yes --no": "--no: not allowed with argument --yes",
    "x --yes=1": "--yes: ignored explicit argument '1'",
    "": "the following arguments are required: name",
    "x y": "unrecognized arguments: y",
    "x --upstraem=z": "unrecognized arguments: --upstraem=z; did you mean --upstream?",
    "x --num 3": "unrecognized arguments: --num 3; did you mean --number?",
    "x --upstream-a z": "unrecognized arguments: --upstream-a z; did you mean --upstream-auth?",
}


@pytest.mark.parametrize("words", WRONG)
def test_what_is_wrong_is_said_in_english(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(words.split())
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("usage: hunyuan-fix x")
    assert f"hunyuan-fix x: error: {'argument ' if ':' in WRONG[words][:10] else ''}{WRONG[words]}" in said


@pytest.mark.usefixtures("chinese")
@pytest.mark.parametrize("words", WRONG)
def test_and_in_chinese(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(words.split())
    usage, _, problem = capsys.readouterr().err.partition("hunyuan-fix x：错误：")
    assert usage.startswith("用法：hunyuan-fix x")
    assert HAN.search(problem)
    assert not re.search(r"argument|expected|invalid|required|allowed|mean", problem)


@pytest.mark.usefixtures("chinese")
def test_the_help_has_chinese_headings(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(word in said for word in ("用法：", "参数：\n", "选项：\n", "显示帮助后退出", "d\n  e"))
    assert not re.search(r"usage|options:|positional|show this", said)


@pytest.mark.usefixtures("chinese")
def test_subcommands_are_parsed_so_too(capsys: pytest.CaptureFixture[str]) -> None:
    made = Parser("x")
    made.add_subparsers(required=True, metavar="COMMAND").add_parser("one").add_argument("--only")
    with pytest.raises(SystemExit):
        made.parse_args(["one", "--onl", "1"])
    assert "是不是想用" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        made.parse_args(["two"])
    assert "没有 'two' 这个选项" in capsys.readouterr().err


def test_each_error_of_argparse_that_a_user_can_cause_has_a_template() -> None:
    """A template that argparse no longer says, in this version of Python, would never be found."""
    source = inspect.getsource(argparse)
    for template in arguments.ARGPARSES_OWN:
        words = re.sub(r"\{\w+\}", "", template).split()
        assert re.search(r"[^\"']*".join(map(re.escape, words[:2])), source), template
    assert gettext.gettext("options") == "options"  # the system's own translations would come in between


@pytest.mark.parametrize("columns", [8, 20, 33])
def test_chinese_is_broken_by_its_columns(columns: int) -> None:
    text = "端口 8080 已被占用，改用 http://127.0.0.1:1 或者别的端口。"
    lines = wrapped(text, columns)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(width(line) <= columns + 2 or " " not in line.strip() for line in lines)
    assert not any(line[0] in "，。" for line in lines)


def test_a_finished_error_of_ours_within_one_of_argparses() -> None:
    said = sentences.translated("zh", "argument --port: expected one argument")
    assert said == "参数 --port：后面要跟一个值"
