"""`scripts/demo`: the scenes work with the addon and only with it, and what it prints can be read."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from hunyuan_fix.cli.demo.platforms import PlatformName
from hunyuan_fix.cli.demo.programme import PROGRAMMES
from hunyuan_fix.columns import beside, half, shorten, width, wrap
from tests.cli.shell_environment import command

COLUMNS = 100


HAN = re.compile(r"[\u3400-\u9fff]")
type Run = subprocess.CompletedProcess[str]


def played(*arguments: str, language: str = "en_US.UTF-8") -> Run:
    """The demo, with variables that would lead astray what heeds them."""
    astray = {
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
        "SSL_CERT_FILE": "/nowhere",
        "HUNYUAN_UPSTREAM": "http://127.0.0.1:9/v1",
        "LC_ALL": language,
    }
    return subprocess.run(
        command("demo", *arguments),
        env={**os.environ, **astray, "COLUMNS": str(COLUMNS), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )


@pytest.fixture(scope="module")
def demo() -> Run:
    """On TokenHub's rules."""
    return played()


@pytest.fixture(scope="module")
def legacy() -> Run:
    """On the old platform's."""
    return played("--legacy")


@pytest.fixture(scope="module")
def chinese() -> Run:
    """In Chinese."""
    return played(language="zh_CN.UTF-8")


def scene(output: str, number: int) -> tuple[str, str]:
    """What stands in the two columns of a scene."""
    block = re.split(r"^\d+  .* ─+$", output, flags=re.MULTILINE)[number]
    rows = [line.split(" │ ") for line in block.splitlines() if " │" in line]
    return "\n".join(row[0] for row in rows), "\n".join(row[1] for row in rows if len(row) > 1)


def total(platform: PlatformName) -> int:
    return len(PROGRAMMES[platform])


def test_every_scene_works_with_the_addon_and_none_without(demo: Run) -> None:
    assert demo.returncode == 0, demo.stdout + demo.stderr
    number = total("tokenhub")
    assert demo.stdout.splitlines()[-1] == f"without: 0 of {number} · with: {number} of {number}"
    assert demo.stderr == ""
    assert "directly to TokenHub" in demo.stdout


def test_the_same_of_the_old_platform(legacy: Run) -> None:
    assert legacy.returncode == 0, legacy.stdout + legacy.stderr
    number = total("hunyuan")
    assert legacy.stdout.splitlines()[-1] == f"without: 0 of {number} · with: {number} of {number}"
    assert legacy.stderr == ""
    assert "directly to Hunyuan" in legacy.stdout


def test_the_same_in_chinese(chinese: Run) -> None:
    assert chinese.returncode == 0, chinese.stdout + chinese.stderr
    number = total("tokenhub")
    assert chinese.stdout.splitlines()[-1] == f"不用插件：成功 0/{number} · 用插件：成功 {number}/{number}"
    headings = re.findall(r"^\d+  (.*) ─+$", chinese.stdout, re.MULTILINE)
    assert len(headings) == number
    assert all(map(HAN.search, headings))
    assert max(map(width, chinese.stdout.splitlines())) <= COLUMNS


def test_a_refused_history_is_repaired(demo: Run, legacy: Run) -> None:
    without, through = scene(demo.stdout, 1)
    assert "HTTP 400, code 400002" in without
    assert "unknown role" in without
    assert "roles must alternate" in " ".join(without.split())
    assert "✓ HTTP 200" in through
    assert re.search(r"x-hunyuan-fix: .*roles.*merge", through, re.DOTALL)
    without, through = scene(legacy.stdout, 1)
    assert "HTTP 400, code 1001" in without
    assert "需交替出现" in without
    assert re.search(r"x-hunyuan-fix: .*roles.*merge", through, re.DOTALL)


def test_a_client_of_the_old_platform_is_answered_by_its_successor(demo: Run) -> None:
    without, through = scene(demo.stdout, 2)
    assert "code 400004" in without
    assert "arrived: hy3" in through
    assert "x-hunyuan-fix: successor" in through


def test_a_program_with_tencent_clouds_sdk_is_answered_in_its_own_format(demo: Run) -> None:
    without, through = scene(demo.stdout, total("tokenhub"))
    assert "✗ HTTP 401" in without, "the new platform takes no signature"
    assert 'ToolCalls: read_file({"path": "checkout.ts"})' in through
    assert "arrived: hy3 at /v1/chat/completions" in through
    assert "✓ HTTP 200" in through
    assert re.search(r"x-hunyuan-fix: tencent-cloud.*successor", through, re.DOTALL)


def test_a_screenshot_is_described_once(demo: Run, legacy: Run) -> None:
    for run, number, refusal in ((demo, 3, "does not support image_url"), (legacy, 2, "模型不支持 image_url")):
        without, through = scene(run.stdout, number)
        assert refusal in without
        assert "[图片 1/1 内容描述" in through
        assert "✓ HTTP 200: TypeError: cart.items is undefined" in through
        assert "vision calls: 1, then 0" in through


def test_a_call_in_the_text_is_a_call(demo: Run) -> None:
    without, through = scene(demo.stdout, 4)
    assert "✗ the client sees a text and no call" in without
    assert "✓ the client calls read_file" in through
    assert "tool_call_begin" not in through


def test_an_answer_that_breaks_off_is_an_error(demo: Run) -> None:
    without, through = scene(demo.stdout, 6)
    assert "✗ nothing says that the answer isn't whole" in without
    assert "✓ the client gets an error: stream_incomplete" in through


def test_claude_code_is_answered_in_its_own_format(demo: Run, legacy: Run) -> None:
    without, _ = scene(demo.stdout, 8)
    assert "HTTP 400" in without
    assert "HTTP 404" in scene(legacy.stdout, 8)[0]
    for run in (demo, legacy):
        without, through = scene(run.stdout, 8)
        assert "Today is Saturday." in without
        assert "✓ tool_use read_file" in through
        assert "src/checkout.ts" in through


def test_a_kimi_gets_its_own_thoughts_back(demo: Run) -> None:
    without, through = scene(demo.stdout, 10)
    assert re.search(r"HTTP 400.*reasoning_content is missing", without, re.DOTALL)
    assert "The stack names line 42, so I read it." in through
    assert "cart may be empty there; the caller knows." in through
    assert "✓ HTTP 200: Guard line 42" in through
    assert re.search(r"x-hunyuan-fix: .*reasoning-memory", through, re.DOTALL)


def test_the_name_of_a_streamed_call_is_lost_only_without_the_addon(legacy: Run) -> None:
    without, through = scene(legacy.stdout, 3)
    assert '✗ the client has no tool ""' in without
    assert "✓ the client calls read_file" in through


def test_it_fits_the_terminal_and_has_no_colours_in_a_file(demo: Run) -> None:
    assert max(map(width, demo.stdout.splitlines())) <= COLUMNS
    assert "\x1b" not in demo.stdout


def test_the_columns_of_every_row_are_in_line(demo: Run) -> None:
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
