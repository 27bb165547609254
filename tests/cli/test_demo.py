"""`scripts/demo`: the scenes work with the addon and only with it, and what it prints can be read."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from hunyuan_fix.cli.demo.scenes import SCENES
from hunyuan_fix.columns import beside, half, shorten, width, wrap
from tests.cli.shell_environment import command

COLUMNS = 100


@pytest.fixture(scope="module")
def demo() -> subprocess.CompletedProcess[str]:
    """The demo, run once, with variables that would lead astray whoever heeds them."""
    astray = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "SSL_CERT_FILE": "/nowhere"}
    return subprocess.run(
        command("demo"),
        env={**os.environ, **astray, "COLUMNS": str(COLUMNS), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )


def scene(output: str, number: int) -> tuple[str, str]:
    """What stands in the two columns of a scene."""
    block = re.split(r"^\d+  .* ─+$", output, flags=re.MULTILINE)[number]
    rows = [line.split(" │ ") for line in block.splitlines() if " │" in line]
    return "\n".join(row[0] for row in rows), "\n".join(row[1] for row in rows if len(row) > 1)


def test_every_scene_works_with_the_addon_and_none_without(demo: subprocess.CompletedProcess[str]) -> None:
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert demo.stdout.splitlines()[-1] == f"without: 0 of {len(SCENES)} · with: {len(SCENES)} of {len(SCENES)}"
    assert demo.stderr == ""


def test_a_refused_history_is_repaired(demo: subprocess.CompletedProcess[str]) -> None:
    without, through = scene(demo.stdout, 1)
    assert "HTTP 400, code 1001" in without
    assert "需交替出现" in without
    assert "✓ HTTP 200" in through
    assert re.search(r"x-hunyuan-fix: .*roles.*merge", through, re.DOTALL)


def test_a_screenshot_is_described_once(demo: subprocess.CompletedProcess[str]) -> None:
    without, through = scene(demo.stdout, 2)
    assert "模型不支持 image_url" in without
    assert "[图片 1/1 内容描述" in through
    assert "✓ HTTP 200: TypeError: cart.items is undefined" in through
    assert "vision calls: 1, then 0" in through


def test_claude_code_is_answered_in_its_own_format(demo: subprocess.CompletedProcess[str]) -> None:
    without, through = scene(demo.stdout, 8)
    assert "HTTP 404" in without
    assert "Today is Saturday." in without
    assert "✓ tool_use read_file" in through
    assert "src/checkout.ts" in through


def test_a_kimi_gets_its_own_thoughts_back(demo: subprocess.CompletedProcess[str]) -> None:
    without, through = scene(demo.stdout, 10)
    assert re.search(r"HTTP 400.*reasoning_content is missing", without, re.DOTALL)
    assert "The stack names line 42, so I read it." in through
    assert "cart may be empty there; the caller knows." in through
    assert "✓ HTTP 200: Guard line 42" in through
    assert re.search(r"x-hunyuan-fix: .*reasoning-memory", through, re.DOTALL)


def test_the_name_of_a_streamed_call_is_lost_only_without_the_addon(demo: subprocess.CompletedProcess[str]) -> None:
    without, through = scene(demo.stdout, 3)
    assert '✗ the client has no tool ""' in without
    assert "✓ the client calls read_file" in through


def test_it_fits_the_terminal_and_has_no_colours_in_a_file(demo: subprocess.CompletedProcess[str]) -> None:
    assert max(map(width, demo.stdout.splitlines())) <= COLUMNS
    assert "\x1b" not in demo.stdout


def test_the_columns_of_every_row_are_in_line(demo: subprocess.CompletedProcess[str]) -> None:
    rows = [line for line in demo.stdout.splitlines() if " │" in line]
    assert {width(row[: row.index("│")]) for row in rows} == {half(COLUMNS) + 1}


def test_a_chinese_character_takes_two_columns() -> None:
    assert [width(text) for text in ("ab", "图片", "é", "\x1b[31m红\x1b[0m")] == [2, 4, 1, 2]
    assert shorten("图片说明", 5) == "图片…"


@pytest.mark.parametrize(
    "text", ["words " * 20, "没有空格的一长行文字" * 5, "x" * 99, "  indented " + "中文 and words " * 8]
)
def test_wrapped_lines_are_narrow_and_lose_nothing(text: str) -> None:
    lines = wrap(text, 24)
    assert all(width(line) <= 24 for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_the_shorter_column_is_filled_up() -> None:
    assert list(beside(["a"], ["b", "c"], 13)) == ["a     │ b", "      │ c"]
