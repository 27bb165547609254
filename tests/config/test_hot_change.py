"""The files of options while the proxy runs. With a real mitmdump: end_to_end/test_hot_change.py."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
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
        /,
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
    (problem,) = running.begin({"hunyuan_config": str(running.file)})
    assert problem.startswith(f"hunyuan_config: {running.file}: ")
    assert "retyr" in problem or "No such file" in problem


async def test_a_value_given_while_running_is_told_from_what_the_sources_give(running: Running):
    running.write("mode: observe")
    running.begin({"hunyuan_config": str(running.file)})
    assert running.config.in_force("hunyuan_mode") == running.config.given("hunyuan_mode")
    running.config.change("hunyuan_mode", "off")
    assert running.values("mode") == ("off",)
    in_force, given = running.config.in_force("hunyuan_mode"), running.config.given("hunyuan_mode")
    assert (in_force.value, in_force.kind, given.value, given.where) == (
        "off",
        "running",
        "observe",
        f"{running.file}:1",
    )
    with pytest.raises(OptionError):
        running.config.change("hunyuan_mode", "bogus")
    assert running.values("mode") == ("off",)
    # Any change of the files brings what they say back.
    await running.says("mode: observe\nretry: all")
    assert running.values("mode", "retry") == ("observe", "all")
    assert running.config.in_force("hunyuan_mode").kind == "file"


def test_before_the_start_there_is_nothing_to_change():
    config = HotChange(OPTIONS)
    config.change("hunyuan_mode", "off")
    assert config.in_force("hunyuan_mode").value == "repair"


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


# Several files


@dataclass
class Two:
    """A proxy with two files."""

    running: Running
    base: Path
    later: Path
    versions: int = 0

    async def say(self, **texts: str | None) -> None:
        for name, text in texts.items():
            file: Path = getattr(self, name)
            if text is None:
                file.unlink()
            else:
                self.versions += 1
                file.write_text(text, encoding="utf-8")
                os.utime(file, (self.versions, self.versions))
        await self.running.looks()

    def begin(self, **variables: str) -> list[str]:
        return self.running.begin({"hunyuan_config": f"{self.base},{self.later}"}, variables)


@pytest.fixture
async def two(running: Running, tmp_path: Path) -> Two:
    made = Two(running, tmp_path / "base.yaml", tmp_path / "later.json")
    await made.say(base="mode: off\nretry: all", later='{"mode": "observe"}')
    return made


async def test_the_later_file_wins_and_what_it_says_no_more_falls_back(two: Two):
    assert two.begin() == []
    assert two.running.values("mode", "retry") == ("observe", "all")
    await two.say(later="{}")
    assert two.running.values("mode", "retry") == ("off", "all")
    await two.say(base="", later='{"retry": "off"}')
    assert two.running.values("mode", "retry") == ("repair", "off")


async def test_one_bad_file_leaves_all_as_it_is_and_is_named(two: Two, caplog: pytest.LogCaptureFixture):
    two.begin()
    await two.say(base="mode: off\nretyr: all", later='{"retry": "off"}')
    assert two.running.values("mode", "retry") == ("observe", "all")
    await two.say(later='{"retry": "off", "language": "en"}')
    assert two.running.values("mode", "retry", "language") == ("observe", "all", "")
    fault = (
        f"The settings are unchanged: {two.base}: line 2: retyr: there is no such option; did you mean hunyuan_retry?"
    )
    assert caplog.messages == [fault, fault]
    await two.say(base="mode: off")
    assert two.running.values("mode", "retry", "language") == ("off", "off", "en")


async def test_a_value_that_is_refused_is_named_with_file_and_line(two: Two, caplog: pytest.LogCaptureFixture):
    two.begin()
    await two.say(base="language: en\n\nretry: often")
    assert two.running.values("mode", "retry", "language") == ("observe", "all", "")
    assert caplog.messages == [
        f"The settings are unchanged: {two.base}: line 3: hunyuan_retry=often: accepted are off, vision, all"
    ]


async def test_one_missing_file_leaves_all_as_it_is(two: Two, caplog: pytest.LogCaptureFixture):
    two.begin()
    await two.say(later=None)
    await two.say(base="retry: off")
    assert two.running.values("mode", "retry") == ("observe", "all")
    assert caplog.messages == [f"The settings are unchanged: {two.later}: doesn't exist"] * 2
    await two.say(later="{}")
    assert two.running.values("mode", "retry") == ("repair", "off")


@pytest.mark.parametrize("missing", ["base", "later"])
async def test_a_file_that_is_missing_at_the_start_is_a_problem(two: Two, missing: str):
    await two.say(**{missing: None})
    (problem,) = two.begin()
    assert problem.startswith(f"hunyuan_config: {getattr(two, missing)}: can't be read")


async def test_files_in_another_order(two: Two):
    two.begin()
    two.running.config.follow([two.later, two.base])
    await two.running.looks()
    assert two.running.values("mode", "retry") == ("off", "all")


async def test_the_environment_stays_above_a_changed_file(two: Two, caplog: pytest.LogCaptureFixture):
    assert two.begin(HUNYUAN_MODE="repair") == []
    two.running.config.say_what_has_no_effect()
    two.running.options.update(hunyuan_mode="off")  # by a person, in mitmweb
    await two.say(later='{"mode": "observe", "retry": "off"}')
    assert two.running.values("mode", "retry") == ("off", "off")
    assert caplog.messages == [
        f"{two.later}:1: hunyuan_mode has no effect here: HUNYUAN_MODE wins.",
        f"{two.later}: changed hunyuan_retry.",
    ]


OF_ALL: dict[str, list[str]] = {
    "hunyuan_mode": ["off", "observe"],
    "hunyuan_retry": ["off", "all"],
    "hunyuan_language": ["en", ""],
    "hunyuan_cascade": ["never", "always"],
}
VALID = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in OF_ALL.items()})
ANY = VALID | VALID.map(lambda values: dict.fromkeys(values, "nonsense"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(
    set_=VALID,
    variables=VALID,
    own=VALID,
    first=st.tuples(VALID, VALID),
    versions=st.lists(st.tuples(ANY, ANY), min_size=1, max_size=4),
)
def test_after_any_changes_the_options_are_what_a_start_would_give(
    tmp_path_factory: pytest.TempPathFactory,
    set_: dict[str, str],
    variables: dict[str, str],
    own: dict[str, str],
    first: tuple[dict[str, str], dict[str, str]],
    versions: list[tuple[dict[str, str], dict[str, str]]],
):
    """Against a model: the last files that make valid options, laid over config.yaml and under all else."""

    def valid(values: Mapping[str, Value]) -> bool:
        try:
            options.parse(values)
        except OptionError:
            return False
        return True

    given = {name: value for name, value in variables.items() if value}

    def model(files: tuple[dict[str, str], dict[str, str]]) -> dict[str, Value]:
        return {**DEFAULTS, **own, **files[0], **files[1], **given, **set_}

    folder = tmp_path_factory.mktemp("files")
    two = Two(Running(folder / "unused"), folder / "base.yaml", folder / "later.json")

    async def through() -> None:
        await two.say(base=json.dumps(first[0]), later=json.dumps(first[1]))
        two.running.begin(
            {**set_, "hunyuan_config": f"{two.base},{two.later}"},
            {name.upper(): value for name, value in variables.items()},
            **own,
        )
        expected = model(first)
        for version in versions:
            await two.say(base=json.dumps(version[0]), later=json.dumps(version[1]))
            expected = model(version) if valid(model(version)) else expected
            assert {name: getattr(two.running.options, name) for name in OF_ALL} == {n: expected[n] for n in OF_ALL}

    asyncio.run(through())
