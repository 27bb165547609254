"""The command: what it says where the SDK is missing, and how each way of installing adds it."""

from __future__ import annotations

import sys
from importlib import util
from typing import Any

import pytest

from hunyuan_fix.cli.mcp import command
from hunyuan_fix.texts import terminal


@pytest.fixture
def without_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    find = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name: None if name == "mcp" else find(name))


@pytest.mark.usefixtures("without_sdk")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_without_the_sdk_it_says_how_to_add_it(capsys: pytest.CaptureFixture[str], language: str) -> None:
    terminal.use(language)
    try:
        assert command.main([], "hunyuan-fix ") == 2
    finally:
        terminal.use("en")
    printed = capsys.readouterr()
    assert printed.out == ""
    for way in ("pipx install --force '.[mcp]'", "uv tool install --force '.[mcp]'", "pip install 'hunyuan-fix[mcp]'"):
        assert way in printed.err


@pytest.mark.usefixtures("without_sdk")
def test_in_a_clone_it_names_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([], "scripts/") == 2
    assert "scripts/mcp" in capsys.readouterr().err


@pytest.mark.usefixtures("without_sdk")
def test_on_a_python_that_the_sdk_is_not_there_for_it_says_which_one_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Version(tuple[Any, ...]): ...

    monkeypatch.setattr(sys, "version_info", Version((3, 12, 1)))
    assert command.main([], "hunyuan-fix ") == 2
    said = capsys.readouterr().err
    assert "3.12" in said and "--python 3.13" in said


def test_help_and_misspelt_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--token-fil", "x"], "hunyuan-fix ")
    assert ended.value.code == 2
    assert "--token-file" in capsys.readouterr().err
