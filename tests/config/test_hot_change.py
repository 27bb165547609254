"""The files of options while the proxy runs. With a real mitmdump: end_to_end/test_hot_change.py."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import exceptions
from mitmproxy.optmanager import OptManager

from hunyuan_fix import options
from hunyuan_fix.config import config_file, hot_change, sources
from hunyuan_fix.config.config_file import Line
from hunyuan_fix.config.hot_change import HostOptions, HotChange
from hunyuan_fix.config.option import OptionError, Value
from hunyuan_fix.options import OPTIONS

DEFAULTS = {option.name: option.default for option in OPTIONS}


@dataclass
class Running:
    """mitmproxy's options with this addon's among them, another addon that hears of changes, and a file."""

    file: Path
    options: OptManager = field(default_factory=OptManager)
    heard: list[tuple[str, str]] = field(default_factory=list)
    """Each time: `hunyuan_mode` and `hunyuan_retry` as the other addon saw them."""
    versions: int = 0

    def __post_init__(self) -> None:
        for option in OPTIONS:
            self.options.add_option(option.name, option.type, option.default, option.help)
        self.options.changed.connect(self.hear)
        self.options.changed.connect(self.check)
        self.config = HotChange(OPTIONS)

    def hear(self, updated: set[str]) -> None:
        self.heard.append((self.options.hunyuan_mode, self.options.hunyuan_retry))

    def check(self, updated: set[str]) -> None:
        try:
            options.parse({name: getattr(self.options, name) for name in DEFAULTS})
        except OptionError as error:
            raise exceptions.OptionsError(str(error)) from error

    def update(self, values: Mapping[str, str | bool]) -> None:
        try:
            self.options.update(**values)
        except exceptions.OptionsError as error:
            raise OptionError(str(error)) from error

    def begin(
        self,
        command_line: Mapping[str, Value] | None = None,
        environment: Mapping[str, str] | None = None,
        **own: Value,
    ) -> list[str]:
        """Start mitmproxy with what `--set`, the environment and its config.yaml (`own`) give. Returns the problems."""
        start = self.config.begin(
            HostOptions(self.options.deferred, lambda name: getattr(self.options, name), self.update),
            sources.from_command_line(command_line or {}),
            environment or {},
            sources.from_mitmproxy_config(own),
        )
        self.options.process_deferred()
        self.config.follow(options.parse({"hunyuan_config": self.options.hunyuan_config}).config)
        return start.problems if start else []

    def write(self, text: str) -> None:
        """Write a new version, later than any before."""
        self.versions += 1
        self.file.write_text(text, encoding="utf-8")
        os.utime(self.file, (self.versions, self.versions))

    async def looks(self, times: int = 2) -> None:
        for _ in range(times):
            await self.config.look()

    async def says(self, text: str) -> None:
        self.write(text)
        await self.looks()

    def values(self, *names: str) -> tuple[object, ...]:
        return tuple(getattr(self.options, f"hunyuan_{name}") for name in names)


@pytest.fixture
def running(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Running:
    caplog.set_level(logging.INFO)
    return Running(tmp_path / "config.yaml")


def test_at_the_start_it_is_one_more_source_of_options(running: Running):
    running.write("mode: observe\nretry: all\nlanguage: en")
    running.options.deferred["other"] = unknown = object()
    own = {"hunyuan_mode": "off", "hunyuan_cascade": "never"}
    assert running.begin({"hunyuan_config": str(running.file), "hunyuan_retry": "off"}, **own) == []
    assert running.values("mode", "retry", "cascade", "language") == ("observe", "off", "never", "en")
    assert running.options.deferred == {"other": unknown}
    assert len(running.heard) == 1


def test_at_the_start_without_a_file_nothing_happens(running: Running):
    assert running.begin(hunyuan_mode="off") == []
    assert running.values("mode", "retry") == ("off", "vision")


@pytest.mark.parametrize("text", [None, "retyr: all"])
def test_a_file_that_can_not_be_taken_is_a_problem_at_the_start(running: Running, text: str | None):
    if text:
        running.write(text)
    (problem,) = running.begin(hunyuan_config=str(running.file))
    assert problem.startswith(f"hunyuan_config: {running.file}: ")
    assert "retyr" in problem or "No such file" in problem


async def test_a_change_is_taken_whole_and_said_in_one_line(running: Running, caplog: pytest.LogCaptureFixture):
    running.write("mode: observe")
    assert running.begin(hunyuan_config=str(running.file)) == []
    assert running.values("mode", "retry") == ("observe", "vision")
    await running.says("mode: off\nretry: all\nredact: false\nlanguage: zh")
    assert running.values("mode", "retry", "redact") == ("off", "all", False)
    assert running.heard[-1] == ("off", "all")
    assert len(running.heard) == 2
    assert caplog.messages == [
        f"{running.file}: changed hunyuan_language, hunyuan_mode, hunyuan_redact, hunyuan_retry."
    ]


@pytest.mark.parametrize("text", ["mode: [", "mode: off\nretyr: all", "mode: off\nretry: sometimes"])
async def test_an_invalid_change_is_refused_whole_and_said_once(
    running: Running, caplog: pytest.LogCaptureFixture, text: str
):
    running.write("mode: observe")
    running.begin(hunyuan_config=str(running.file))
    await running.says(text)
    await running.looks(5)
    assert running.values("mode", "retry") == ("observe", "vision")
    assert running.heard[-1] == ("observe", "vision")  # also for an addon that had seen the new values already
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert re.match(rf"The settings are unchanged: {running.file}: line \d: \w+", record.message)
    await running.says("mode: off")
    assert running.values("mode") == ("off",)


async def test_what_it_says_no_more_is_as_it_would_be_without_it(running: Running):
    running.write("mode: off\nretry: all\nlanguage: en")
    running.begin(hunyuan_config=str(running.file), hunyuan_mode="observe")
    assert running.values("mode", "retry", "language") == ("off", "all", "en")
    await running.says("language: en")
    assert running.values("mode", "retry", "language") == ("observe", "vision", "en")


async def test_the_command_line_wins(running: Running, caplog: pytest.LogCaptureFixture):
    running.write("mode: off")
    running.begin({"hunyuan_config": str(running.file), "hunyuan_mode": "observe"})
    await running.says("mode: repair\nretry: all")
    assert running.values("mode", "retry") == ("observe", "all")
    await running.says("")
    assert running.values("mode", "retry") == ("observe", "vision")
    assert caplog.messages == [
        f"{running.file}: changed hunyuan_retry.",
        f"{running.file}:1: hunyuan_mode has no effect here: --set wins.",
        f"{running.file}: changed hunyuan_retry.",
    ]


async def test_what_a_person_changes_meanwhile_holds_until_the_file_changes(running: Running):
    running.write("mode: off")
    running.begin(hunyuan_config=str(running.file))
    running.options.update(hunyuan_mode="observe", hunyuan_cascade="never")
    await running.looks(3)
    assert running.values("mode") == ("observe",)
    await running.says("mode: off\nretry: all")
    assert running.values("mode", "retry", "cascade") == ("off", "all", "never")


async def test_a_file_that_goes_leaves_the_settings_and_one_warning(running: Running, caplog: pytest.LogCaptureFixture):
    running.write("mode: off")
    running.begin(hunyuan_config=str(running.file))
    running.file.unlink()
    await running.looks(5)
    assert running.values("mode") == ("off",)
    (record,) = caplog.records
    assert (record.levelname, record.message) == (
        "WARNING",
        f"The settings are unchanged: {running.file}: doesn't exist",
    )
    await running.says("mode: observe")
    assert running.values("mode") == ("observe",)


async def test_a_file_that_is_still_being_written_is_left_alone(running: Running):
    running.write("mode: off")
    running.begin(hunyuan_config=str(running.file))
    running.write("")  # as an editor does before it writes
    await running.looks(1)
    running.write("mode: observe")
    await running.looks(1)
    assert running.values("mode") == ("off",)
    await running.looks(1)
    assert running.values("mode") == ("observe",)
    assert ("repair", "vision") not in running.heard[1:]


async def test_a_file_that_changes_while_it_is_read_is_read_again(running: Running, monkeypatch: pytest.MonkeyPatch):
    running.write("mode: off")
    running.begin(hunyuan_config=str(running.file))
    reads = config_file.read_file

    def slow(*arguments: Any) -> dict[str, Line]:
        values = reads(*arguments)
        running.write("mode: repair\nretry: all")
        monkeypatch.undo()
        return values

    monkeypatch.setattr(hot_change, "read_file", slow)
    await running.says("mode: observe")
    assert running.values("mode", "retry") == ("off", "vision")
    await running.looks()
    assert running.values("mode", "retry") == ("repair", "all")


def replaced(running: Running) -> None:
    new = running.file.with_suffix(".new")
    new.write_text("mode: observe", encoding="utf-8")
    old = running.file.stat()
    os.utime(new, ns=(old.st_atime_ns, old.st_mtime_ns))
    new.replace(running.file)


def linked_elsewhere(running: Running) -> None:
    """As Kubernetes does: the file is a link by way of a link to a folder, and that link is changed."""
    new = running.file.parent / "..data_tmp"
    new.symlink_to("second", target_is_directory=True)
    new.replace(running.file.parent / "..data")


@pytest.mark.parametrize("change", [replaced, linked_elsewhere])
async def test_all_ways_to_change_a_file_are_seen(running: Running, change: Callable[[Running], None]):
    folder = running.file.parent
    if change is linked_elsewhere:
        for name, text in (("first", "mode: off    "), ("second", "mode: observe")):
            (folder / name).mkdir()
            (folder / name / running.file.name).write_text(text, encoding="utf-8")
            os.utime(folder / name / running.file.name, (1, 1))
        (folder / "..data").symlink_to("first", target_is_directory=True)
        running.file.symlink_to(f"..data/{running.file.name}")
    else:
        running.write("mode: off    ")
    running.begin(hunyuan_config=str(running.file))
    change(running)
    await running.looks()
    assert running.values("mode") == ("observe",)


async def test_another_file_and_none(running: Running, tmp_path: Path):
    running.write("mode: off\nlanguage: en")
    running.begin(hunyuan_config=str(running.file))
    other = tmp_path / "other.yaml"
    other.write_text("retry: all", encoding="utf-8")
    running.config.follow([other])
    await running.looks()
    assert running.values("mode", "language", "retry") == ("repair", "", "all")
    running.config.follow([])
    await running.looks()
    assert running.values("mode", "language", "retry") == ("repair", "", "vision")


async def test_a_file_that_is_named_later_is_taken(running: Running):
    assert running.begin() == []
    running.write("mode: off")
    running.config.follow([running.file])
    await running.looks()
    assert running.values("mode") == ("off",)


async def test_a_hot_reload_begins_nothing_anew(running: Running, caplog: pytest.LogCaptureFixture):
    running.write("mode: off")
    running.begin(hunyuan_config=str(running.file), hunyuan_mode="observe")
    assert running.begin() == []
    running.config.follow([])  # while options are declared they have their defaults
    running.config.follow([running.file])
    await running.looks()
    assert caplog.messages == []
    await running.says("retry: all")
    assert running.values("mode", "retry") == ("observe", "all")
