"""The search program: real programs, that print, hang, fail, and are asked in whatever words."""

from __future__ import annotations

import asyncio
import json
import logging
import shlex
import sys
from pathlib import Path

import pytest

from hunyuan_fix import options
from hunyuan_fix.config.option import OptionError
from hunyuan_fix.search import program
from hunyuan_fix.search.program import Program, SearchFailed

SAYS_WHAT_IT_GOT = """
import json, os, sys
got = {"arguments": sys.argv[1:], "input": sys.stdin.read(), "keys": [name for name in os.environ if "HUNYUAN" in name]}
print(json.dumps([{"url": "https://a.example", "title": "got", "content": json.dumps(got)}]))
"""


def made(tmp_path: Path, source: str, *arguments: str, timeout: str = "20") -> Program:
    script = tmp_path / "search program.py"
    script.write_text(source)
    command = shlex.join([sys.executable, str(script), *arguments])
    return Program(options.parse({"hunyuan_search_command": command, "hunyuan_search_timeout": timeout}))


async def got(program: Program, query: str) -> dict[str, object]:
    [result] = await program.search(query)
    value: dict[str, object] = json.loads(result.text)
    return value


async def test_the_query_is_an_argument_and_on_standard_input(tmp_path: Path) -> None:
    searching = made(tmp_path, SAYS_WHAT_IT_GOT, "--json", "q={query}", "{query}")
    said = await got(searching, '天气 "today"; $(rm)\nnow')
    assert said["arguments"] == ["--json", *(f'{name}天气 "today"; $(rm) now' for name in ("q=", ""))]
    assert said["input"] == '天气 "today"; $(rm) now\n'


async def test_a_query_is_no_option(tmp_path: Path) -> None:
    assert (await got(made(tmp_path, SAYS_WHAT_IT_GOT, "{query}"), "--output=/etc/x"))["arguments"] == ["output=/etc/x"]


async def test_a_long_query_is_cut(tmp_path: Path) -> None:
    said = await got(made(tmp_path, SAYS_WHAT_IT_GOT), "x" * 100_000)
    assert said["input"] == "x" * 1000 + "\n"


async def test_it_gets_no_key_of_the_proxys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUNYUAN_API_KEY", "sk-secret")
    assert (await got(made(tmp_path, SAYS_WHAT_IT_GOT), "a"))["keys"] == []


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("raise SystemExit(3)", "it ended with status 3"),
        ("print('no json')", "of what it printed: it is no JSON"),
        ("print('{}')", "of what it printed: its JSON has no list of results"),
        ("while True: print('x' * 100_000)", "it printed more than 1 MiB"),
        ("import sys; sys.stdin.close(); print('[')", "of what it printed: it is no JSON"),
    ],
)
async def test_failures_are_told_without_the_query(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, source: str, why: str
) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(SearchFailed) as failed:
        await made(tmp_path, source).search("a secret question " * 60)
    assert str(failed.value) == why
    assert why in caplog.text
    assert "secret" not in caplog.text


async def test_a_program_that_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    missing = Program(options.parse({"hunyuan_search_command": "/nowhere/to be found"}))
    with pytest.raises(SearchFailed, match=r"it can't be started \(FileNotFoundError\)"):
        await missing.search("a")


async def test_one_that_hangs_is_ended(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    source = f"import time, pathlib, os\npathlib.Path({str(alive)!r}).write_text(str(os.getpid()))\ntime.sleep(600)"
    with pytest.raises(SearchFailed, match=r"longer than 0\.5 seconds"):
        await made(tmp_path, source, timeout="0.5").search("a")
    if alive.exists():  # else it was ended before it could write
        assert not Path(f"/proc/{alive.read_text()}").exists()


async def test_one_that_prints_on_and_on_is_ended_at_once(tmp_path: Path) -> None:
    """Each time: it waited for the end of an output that nobody read, in one of twelve."""
    searching = made(tmp_path, "while True: print('x' * 100_000)")
    failed = await asyncio.gather(*(searching.search("a") for _ in range(16)), return_exceptions=True)
    assert {str(error) for error in failed} == {"it printed more than 1 MiB"}


async def test_cancelled_it_ends_the_program(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    source = f"import time, pathlib, os\npathlib.Path({str(alive)!r}).write_text(str(os.getpid()))\ntime.sleep(600)"
    searching = asyncio.create_task(made(tmp_path, source).search("a"))
    while not alive.exists() or not alive.read_text():
        await asyncio.sleep(0.01)
    searching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await searching
    assert not Path(f"/proc/{alive.read_text()}").exists()


async def test_few_run_at_once(tmp_path: Path) -> None:
    source = f"""
import os, pathlib, sys, time
place = pathlib.Path({str(tmp_path)!r})
mine = place / f"running.{{os.getpid()}}"
mine.touch()
count = len(list(place.glob("running.*")))
time.sleep(0.05)
mine.unlink()
print('[{{"url": "https://a.example", "content": "%d"}}]' % count)
"""
    searching = made(tmp_path, source)
    found = await asyncio.gather(*(searching.search(str(number)) for number in range(3 * program.AT_A_TIME)))
    assert max(int(result.text) for [result] in found) <= program.AT_A_TIME


def test_a_command_line_that_does_not_end() -> None:
    with pytest.raises(OptionError, match=r"hunyuan_search_command.*quotation marks closed"):
        options.parse({"hunyuan_search_command": "search 'a"})
