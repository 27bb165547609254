"""`hunyuan_config`, on a real mitmdump with a real file: what a change does to the next request."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scripts.lib.processes import free_port
from tests.end_to_end.processes import ROOT, clean_environment
from tests.end_to_end.served import ADDON, MITMDUMP, Served, serve
from tests.proxying import Answer, Arrived, Endpoint, Trust, chat_answer, run_endpoint

BODY = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}], "user": "me"}


@pytest.fixture
async def endpoint(trust: Trust) -> AsyncIterator[Endpoint]:
    async with run_endpoint(trust, tls=False) as running:
        running.answer = chat_answer("ok")
        yield running


@dataclass(slots=True)
class File:
    """A configuration file, replaced as a whole with each change."""

    path: Path
    versions: Iterator[int] = field(default_factory=lambda: iter(range(1, 1000)))

    def say(self, text: str) -> None:
        new = self.path.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        os.utime(new, (version := next(self.versions), version))
        new.replace(self.path)

    @property
    def option(self) -> tuple[str, str]:
        return "--set", f"hunyuan_config={self.path}"


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path / "hunyuan.yaml")


async def rules(served: Served) -> str | None:
    """The rules that were applied to a request that needs one."""
    async with served.client() as client:
        answer = await client.post("/chat/completions", json=BODY)
    assert answer.status_code == 200
    names: str | None = answer.headers.get("x-hunyuan-fix")
    return names


async def test_a_change_applies_to_the_next_request(trust: Trust, endpoint: Endpoint, file: File):
    file.say("mode: off")
    async with serve(trust, endpoint, *file.option) as served:
        assert await rules(served) is None
        file.say("mode: repair")
        await served.until(rf"{file.path}: changed hunyuan_mode\.")
        assert await rules(served) == "parameters"
        assert served.process.output.count(f"{file.path}: ") == 1
        file.say("hunyuan_keep_params: [user]")
        await served.until(r"changed hunyuan_keep_params\.")
        assert await rules(served) is None


async def test_a_request_under_way_is_not_disturbed_by_a_change(trust: Trust, endpoint: Endpoint, file: File):
    arrived, release = asyncio.Event(), asyncio.Event()

    async def hold(_: Arrived) -> Answer:
        arrived.set()
        await release.wait()
        return chat_answer("ok")

    endpoint.answer = hold
    file.say("")
    async with serve(trust, endpoint, *file.option) as served:
        asking = asyncio.create_task(rules(served))
        await arrived.wait()
        file.say("mode: off")
        await served.until(r"changed hunyuan_mode\.")
        release.set()
        assert await asking == "parameters"
        assert await rules(served) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("mode: [", "line 1: not valid YAML"),
        ("mode: off\nretyr: all", "line 2: retyr: there is no such option; did you mean hunyuan_retry?"),
        ("mode: off\nmode: off", "line 2: hunyuan_mode: given twice"),
        ("mode: off\nretry: sometimes", "line 2: hunyuan_retry=sometimes: accepted are off, vision, all"),
        ("mode: off\nvision_timeout: -1", "line 2: hunyuan_vision_timeout=-1: accepted is a number of seconds"),
    ],
)
async def test_an_invalid_change_is_refused_whole(trust: Trust, endpoint: Endpoint, file: File, text: str, why: str):
    file.say("language: en")
    async with serve(trust, endpoint, *file.option) as served:
        file.say(text)
        await served.until("The settings are unchanged: ")
        assert await rules(served) == "parameters"
        file.say("mode: off")
        await served.until("changed hunyuan_language, hunyuan_mode")
        assert await rules(served) is None
        (line,) = [line for line in served.process.output.splitlines() if "The settings are unchanged" in line]
        assert f"{file.path}: {why}" in line
        assert "Traceback" not in served.process.output


async def test_the_command_line_wins_over_the_file(trust: Trust, endpoint: Endpoint, file: File):
    file.say("mode: off\nlanguage: en")
    async with serve(trust, endpoint, *file.option, "--set", "hunyuan_mode=repair") as served:
        assert await rules(served) == "parameters"
        file.say("mode: off")
        await served.until(rf"{file.path}:1: hunyuan_mode has no effect here: --set wins\.")
        await served.until(r"changed hunyuan_language\.")
        assert await rules(served) == "parameters"


@pytest.fixture
def confdir(trust: Trust, tmp_path: Path) -> Path:
    """mitmproxy's own folder with its own configuration."""
    shutil.copytree(trust.confdir, tmp_path / "confdir")
    return tmp_path / "confdir"


async def test_the_file_wins_over_mitmproxys_own(trust: Trust, endpoint: Endpoint, file: File, confdir: Path):
    (confdir / "config.yaml").write_text(f"hunyuan_mode: off\nhunyuan_config: {file.path}\n", encoding="utf-8")
    file.say("mode: repair")
    async with serve(trust, endpoint, confdir=confdir) as served:
        assert await rules(served) == "parameters"
        file.say("language: en")
        await served.until("changed hunyuan_language, hunyuan_mode")
        assert await rules(served) is None


async def test_a_file_that_goes_leaves_the_settings(trust: Trust, endpoint: Endpoint, file: File):
    file.say("mode: off")
    async with serve(trust, endpoint, *file.option) as served:
        file.path.unlink()
        await served.until("The settings are unchanged: .*doesn't exist")
        assert await rules(served) is None
        file.say("mode: repair")
        await served.until(r"changed hunyuan_mode\.")
        assert await rules(served) == "parameters"
        assert served.process.output.count("doesn't exist") == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "can't be read: No such file or directory"),
        ("retyr: all", "line 1: retyr: there is no such option; did you mean hunyuan_retry?"),
        ("retry: sometimes", "line 1: hunyuan_retry=sometimes: accepted are off, vision, all"),
        ("api_key: sk-test", "HUNYUAN_API_KEY"),
    ],
)
def test_a_file_that_can_not_be_taken_ends_the_start(trust: Trust, file: File, text: str | None, why: str):
    if text is not None:
        file.say(text)
    ended = subprocess.run(
        [MITMDUMP, "-s", str(ADDON), "--set", f"confdir={trust.confdir}", "-p", str(free_port()), *file.option],
        cwd=file.path.parent,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    output = ended.stdout + ended.stderr
    assert ended.returncode == 1
    assert len([line for line in output.splitlines() if why in line]) == 1
    assert "Traceback" not in output
    assert "sk-test" not in output


async def test_after_a_hot_reload_the_file_is_still_heeded(
    trust: Trust, endpoint: Endpoint, file: File, tmp_path: Path
):
    shutil.copytree(ROOT / "addon", tmp_path / "checkout/addon", ignore=shutil.ignore_patterns("__pycache__"))
    script = tmp_path / "checkout/addon/hunyuan_fix.py"
    file.say("mode: off")
    async with serve(trust, endpoint, *file.option, script=script) as served:
        later = script.stat().st_mtime + 10
        with script.open("a", encoding="utf-8") as source:
            source.write('print("loaded anew", flush=True)\n')
        os.utime(script, (later, later))
        await served.until("loaded anew")
        assert await rules(served) is None
        file.say("language: en")
        await served.until("changed hunyuan_language, hunyuan_mode")
        assert await rules(served) == "parameters"
        assert served.process.output.count("changed hunyuan") == 1
