"""The checks of a whole runtime: their names, in the page too, and that real files and options reach them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix import options
from hunyuan_fix.config.hot_change import HostOptions
from hunyuan_fix.config.option import OptionError
from hunyuan_fix.exchange import JsonObject
from hunyuan_fix.observe.statistics import HEALTH, LOOP_LAG_SECONDS
from hunyuan_fix.options import Settings
from hunyuan_fix.runtime import Runtime
from hunyuan_fix.upstream.client import Transport
from tests.waiting import until

ROOT = Path(__file__).parents[3]
NAMES = [
    "endpoint",
    "key",
    "vision",
    "clock",
    "ca",
    "sqlite",
    "redis",
    "disk",
    "files",
    "queue",
    "event_loop",
    "sinks",
    "faults",
    "plugins",
]
OF_SUPERVISOR = "workers"
"""The check of the process that has started several workers."""


def parsed(**values: str) -> Settings:
    given = {"store": "memory", "admin": "off", **values}
    return options.parse({f"hunyuan_{name}": value for name, value in given.items()})


@pytest.fixture
async def runtime() -> AsyncIterator[Runtime]:
    made = Runtime(replace(options.parse({})))
    yield made
    await made.aclose()


async def reports(made: Runtime) -> dict[str, Any]:
    await made.health.look()
    return {report["name"]: report for report in made.health.report()}


async def test_all_are_healthy_where_nothing_has_happened(runtime: Runtime) -> None:
    runtime.configure(parsed(), Transport())
    runtime.start()
    found = await reports(runtime)
    assert list(found) == NAMES
    assert {report["state"] for report in found.values()} == {"healthy"}, found
    assert runtime.metrics.collect()[HEALTH] == {(name,): 2 for name in NAMES}
    await until(lambda: runtime.metrics.distributions().get(LOOP_LAG_SECONDS))
    seen: list[JsonObject] = [dict(check) for check in runtime.admin.rooms.checks("zh")]
    assert [check["name"] for check in seen] == NAMES
    assert "尚未" not in seen[0]["message"]
    assert seen[0]["message"] == "还没有流量。"


@pytest.mark.parametrize("page", ["docs/operations.md", "docs/operations.zh-CN.md"])
def test_the_page_has_a_row_for_each_in_their_order(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    (section,) = re.findall(r"^## (?:Checks|检查项)$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [*NAMES, OF_SUPERVISOR]


async def test_files_that_break_while_it_runs(runtime: Runtime, tmp_path: Path) -> None:
    config, tokens, key = tmp_path / "hunyuan.yaml", tmp_path / "clients.toml", tmp_path / "key"
    profiles = tmp_path / "profiles"
    profiles.mkdir()
    for secret in (tokens, key):
        secret.touch(0o600)
    key.write_text("sk-one")
    config.touch()
    refused: list[str] = []

    def update(values: Mapping[str, str | bool]) -> None:
        if refused:
            raise OptionError(refused[0])

    def again(values: Mapping[str, str | bool]) -> None:
        if "hunyuan_profiles" in values:
            runtime.configure(parsed(**given), Transport())
        else:
            update(values)

    given = {"api_key_file": str(key), "client_tokens_file": str(tokens), "profiles": str(profiles)}
    runtime.configure(parsed(**given), Transport())
    runtime.config.begin(HostOptions({}, {"hunyuan_profiles": str(profiles)}.get, again), {}, {}, {})
    runtime.config.follow([config])
    runtime.start()

    def told() -> list[str]:
        return [path.name for path in runtime._unusable()]

    assert (await reports(runtime))["files"]["state"] == "healthy"
    # 1. Each in its own way.
    config.write_text("no: such: thing")
    await until(lambda: told() == ["hunyuan.yaml"], told)
    config.write_text("mode: observe")
    await until(lambda: told() == [], told)
    refused.append("hunyuan_mode: no")
    config.write_text("mode: off")
    await until(lambda: told() == ["hunyuan.yaml"], told)
    refused.clear()
    config.write_text("mode: repair")
    await until(lambda: told() == [], told)
    config.unlink()
    await until(lambda: told() == ["hunyuan.yaml"], told)
    config.write_text("mode: observe")
    await until(lambda: told() == [], told)
    tokens.write_text("[clients.x]\nhash = 1")
    await until(lambda: told() == ["clients.toml"], told)
    (profiles / "mine.toml").write_text("extends = 1")
    await until(lambda: told() == ["clients.toml", "profiles"], told)
    # 2. What the check says of them; the key has one of its own.
    key.unlink()
    await until(lambda: runtime.secrets.key.file is not None and runtime.secrets.key.file.is_unusable)
    await asyncio.sleep(1.0 - 0.0)  # a look is used again for as long
    found = await reports(runtime)
    assert (found["files"]["state"], found["key"]["state"]) == ("degraded", "degraded")
    assert f"{tokens}, {profiles}" in found["files"]["message"]
    assert str(key) in found["key"]["message"]
    # 3. All is well again.
    (profiles / "mine.toml").unlink()
    tokens.write_text("")
    key.touch(0o600)
    key.write_text("sk-two")
    await until(lambda: told() == [] and runtime.secrets.key.value == "sk-two", told)
    parsed()  # the shipped profiles alone
