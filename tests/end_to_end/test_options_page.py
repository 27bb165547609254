"""The examples of docs/options.md, run as they stand there, with the files that stand there."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from scripts.lib import options_page
from scripts.lib.processes import free_port
from tests.end_to_end.processes import ROOT, Certificates, clean_environment, process
from tests.end_to_end.served import ADDON, MITMDUMP

PAGE = (ROOT / "docs/options.md").read_text("utf-8")
FILES = dict(re.findall(r"^```yaml\n# (\S+\.yaml)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
COMMANDS = [
    line for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]
ENDING = [line for line in COMMANDS if "fix config" in line]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def environment(home: Path) -> dict[str, str]:
    found = {"PATH": f"{Path(MITMDUMP).parent}:/usr/bin:/bin", "HOME": str(home), "LC_ALL": "C.UTF-8"}
    return clean_environment() | found


def run(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_the_page_has_examples() -> None:
    assert list(FILES) == ["base.yaml", "development.yaml", "test.yaml", "production.yaml"]
    assert len(ENDING) == 3
    assert len(COMMANDS) == 5


@pytest.mark.parametrize("line", ENDING)
def test_what_the_page_asks_for_is_valid(line: str, folder: Path) -> None:
    done = run(line, folder)
    assert (done.returncode, done.stderr) == (0, "")
    if "--check" not in line:
        assert re.search(rf"^hunyuan_upstream .* {folder}/base.yaml:1$", done.stdout, re.MULTILINE)
        assert re.search(rf"^hunyuan_retry +all +{folder}/production.yaml:1$", done.stdout, re.MULTILINE)


def test_what_is_wrong_ends_the_pipeline(folder: Path) -> None:
    (line,) = [line for line in ENDING if "--check" in line]
    with (folder / "production.yaml").open("a", encoding="utf-8") as file:
        file.write("retyr: all\n")
    done = run(line, folder)
    assert done.returncode == 1
    assert f"{folder}/production.yaml: line 5: retyr: there is no such option" in done.stderr


@pytest.mark.parametrize("line", [line for line in COMMANDS if line not in ENDING])
def test_the_proxy_starts_with_the_files_of_the_page(line: str, folder: Path, certificates: Certificates) -> None:
    """On free ports, and without a browser."""
    more = ["--set", f"confdir={certificates.confdir}"]
    if "mitmdump" in line:
        more += ["--listen-port", str(free_port())]
    else:
        more += ["--port", str(free_port()), "--reverse-port", str(free_port()), "--set", "web_open_browser=false"]
        more += ["--set", f"web_port={free_port()}"]
    command = ["bash", "-c", f"cd {shlex.quote(str(folder))} && exec env {line} {shlex.join(more)}"]
    with process("example", command, environment(folder)) as started:
        started.wait_for("hunyuan-fix (is ready|已就绪)")  # the files say language: zh


@pytest.mark.parametrize("language", options_page.PAGES)
def test_both_pages_have_the_same_examples(language: str) -> None:
    text = options_page.PAGES[language].read_text("utf-8")
    blocks = r"^```\w+\n.*?^```$"
    assert re.findall(blocks, text, re.MULTILINE | re.DOTALL) == re.findall(blocks, PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("variables", "help_of_mode"),
    [
        ({}, "What is done to bodies"),
        ({"LC_ALL": "zh_CN.UTF-8"}, "怎么处理请求体"),
        ({"LC_ALL": "zh_CN.UTF-8", "HUNYUAN_LANGUAGE": "en"}, "What is done to bodies"),
    ],
)
def test_mitmproxy_shows_the_help_of_options_in_the_users_language(
    variables: dict[str, str], help_of_mode: str, folder: Path, certificates: Certificates
) -> None:
    command = [MITMDUMP, "--set", f"confdir={certificates.confdir}", "-s", str(ADDON), "--options"]
    done = subprocess.run(
        command,
        env=environment(folder) | variables,
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    assert help_of_mode in done.stdout
    assert "hunyuan_mode: repair" in done.stdout
