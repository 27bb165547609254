"""`hunyuan_config`, on a real mitmdump with a real file: what a change does to the next request."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
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
    shutil.copytree(trust.confdir, tmp_path / "mitmproxy")
    return tmp_path / "mitmproxy"


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


def refused(trust: Trust, folder: Path, *arguments: str, **variables: str) -> str:
    """What mitmdump says, whose start is to fail."""
    ended = subprocess.run(
        [MITMDUMP, "-s", str(ADDON), "--set", f"confdir={trust.confdir}", "-p", str(free_port()), *arguments],
        cwd=folder,
        env=clean_environment() | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    return ended.stdout + ended.stderr


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
    output = refused(trust, file.path.parent, *file.option)
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


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"HUNYUAN_MODE": "bogus"}, "HUNYUAN_MODE=bogus: accepted are repair, observe, off"),
        ({"HUNYUAN_REDACT": "0"}, "HUNYUAN_REDACT=0: accepted are true and false"),
        ({"HUNYUAN_CONFIG": "none.yaml"}, "HUNYUAN_CONFIG: {folder}/none.yaml: can't be read"),
        ({"HUNYUAN_API_KEY_FILE": "none"}, "HUNYUAN_API_KEY_FILE: {folder}/none can't be read"),
        ({"HUNYUAN_MODE": "bogus", "LC_ALL": "zh_CN.UTF-8"}, "HUNYUAN_MODE=bogus: 可用的值有 repair, observe, off"),
    ],
)
def test_an_invalid_variable_ends_the_start_and_is_named(
    trust: Trust, tmp_path: Path, variables: dict[str, str], why: str
):
    output = refused(trust, tmp_path, **variables)
    assert len([line for line in output.splitlines() if why.format(folder=tmp_path) in line]) == 1
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hunyuan_retry: often", "config.yaml: hunyuan_retry=often: accepted are off, vision, all"),
        ("hunyuan_redact: maybe", "config.yaml: hunyuan_redact: accepted are true and false"),
        ("hunyuan_retyr: all", "config.yaml: hunyuan_retyr: there is no such option; did you mean hunyuan_retry?"),
    ],
)
def test_an_invalid_value_in_mitmproxys_own_file_ends_the_start(trust: Trust, confdir: Path, text: str, why: str):
    (confdir / "config.yaml").write_text(text, encoding="utf-8")
    output = refused(replace(trust, folder=confdir.parent), confdir.parent)
    assert len([line for line in output.splitlines() if why in line]) == 1


async def test_the_environment_wins_over_files_and_the_command_line_over_both(
    trust: Trust, endpoint: Endpoint, file: File, confdir: Path
):
    (confdir / "config.yaml").write_text("hunyuan_keep_params: [other]\n", encoding="utf-8")
    file.say("mode: off\nkeep_params: [user]")
    given = {
        "HUNYUAN_CONFIG": str(file.path),
        "HUNYUAN_MODE": "repair",
        "HUNYUAN_MDOE": "sk-x",
        "HUNYUAN_BASE_URL": "x",
    }
    async with serve(
        trust, endpoint, "--set", "hunyuan_keep_params=nothing", confdir=confdir, environment=given
    ) as served:
        assert await rules(served) == "parameters"
        await served.until("HUNYUAN_MDOE has no effect; did you mean HUNYUAN_MODE\\?")
        await served.until("without effect on it: HUNYUAN_BASE_URL")
        await served.until(f"{file.path}:1: hunyuan_mode has no effect here: HUNYUAN_MODE wins")
        await served.until(f"{file.path}:2: hunyuan_keep_params has no effect here: --set wins")
        assert "sk-x" not in served.process.output.partition("Loading script")[2]
        file.say("mode: observe\nlanguage: en")
        await served.until(r"changed hunyuan_language\.")
        assert await rules(served) == "parameters"


async def test_of_several_files_the_later_one_wins_and_each_is_watched(
    trust: Trust, endpoint: Endpoint, tmp_path: Path
):
    base, production = File(tmp_path / "base.yaml"), File(tmp_path / "prod.json")
    base.say("mode: repair\nkeep_params: [user]\n")
    production.say('{\n\t"keep_params": []\n}')
    async with serve(trust, endpoint, "--set", f"hunyuan_config={base.path},{production.path}") as served:
        assert await rules(served) == "parameters"
        production.say('{"mode": "bogus", "keep_params": ["user"]}')
        await served.until(f"The settings are unchanged: {production.path}: line 1: hunyuan_mode=bogus: ")
        assert await rules(served) == "parameters"
        production.say("{}")
        await served.until(rf"{production.path}: changed hunyuan_keep_params\.")
        assert await rules(served) is None  # what the earlier file says
        base.say("")
        await served.until(rf"{base.path}: changed hunyuan_keep_params\.")
        assert await rules(served) == "parameters"
