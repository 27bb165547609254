"""The file of options: what it may say, and when it is taken. With a real mitmdump: end_to_end/test_hot_change.py."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import exceptions
from mitmproxy.optmanager import OptManager
from ruamel.yaml import YAML

from hunyuan_fix import options
from hunyuan_fix.config import config_file
from hunyuan_fix.config.config_file import ConfigError, ConfigFile, HostOptions, given_on_command_line
from hunyuan_fix.config.option import OptionError
from hunyuan_fix.options import OPTIONS

DEFAULTS = {option.name: option.default for option in OPTIONS}
SECRET = "sk-0123456789abcdef"


def said(text: str) -> dict[str, str | bool]:
    return config_file.read(text, DEFAULTS)


# What it may say


def test_values_are_taken_as_they_are_written():
    assert said(
        """\
# a comment
hunyuan_mode: off
retry: all
hunyuan_vision_timeout: 1.50
retry_tries: 3
max_body: 20m
hosts: [localhost, 127.0.0.1=hunyuan]
keep_params:
  - user
  - 10
upstream:
text_model: ~
language: "zh"
redact: false
intercept_all: "true"
vision_model: 2024-99-99
"""
    ) == {
        "hunyuan_mode": "off",
        "hunyuan_retry": "all",
        "hunyuan_vision_timeout": "1.50",
        "hunyuan_retry_tries": "3",
        "hunyuan_max_body": "20m",
        "hunyuan_hosts": "localhost,127.0.0.1=hunyuan",
        "hunyuan_keep_params": "user,10",
        "hunyuan_upstream": "",
        "hunyuan_text_model": "",
        "hunyuan_language": "zh",
        "hunyuan_redact": False,
        "hunyuan_intercept_all": True,
        "hunyuan_vision_model": "2024-99-99",
    }


@pytest.mark.parametrize("text", ["", "\n", "# nothing yet\n", "\ufeff# nothing yet\n", "---\n", "{}"])
def test_a_file_may_say_nothing(text: str, tmp_path: Path):
    file = tmp_path / "config.yaml"
    file.write_text(text, encoding="utf-8")
    assert config_file.read_file(file, DEFAULTS) == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("mode: off\nretry: [", "line 2: not valid YAML: expected the node content"),
        ("mode: off\n\tretry: all", "line 2: not valid YAML: found character '\\t' that cannot start any token"),
        ("retry: all: vision", "line 1: not valid YAML: mapping values are not allowed here"),
        ("retry: *other", "line 1: not valid YAML: found undefined alias …"),
        ("mode: off\n---\nmode: repair", "line 2: not valid YAML: but found another document"),
        ("mode: \x00", "not valid YAML"),
        ("[" * 1000, "not valid YAML"),
        ("- retry: all", "line 1: accepted are lines such as retry: all"),
        ("retry", "line 1: accepted are lines such as retry: all"),
        ("mode: off\nretyr: all", "line 2: retyr: there is no such option; did you mean hunyuan_retry?"),
        ("hunyuan_retyr: all", "line 1: hunyuan_retyr: there is no such option; did you mean hunyuan_retry?"),
        ("mode: off\n\nhunyuan_mode: repair", "line 3: hunyuan_mode: given twice"),
        ("listen_port: 80", "line 1: listen_port: there is no such option"),
        ("config: other.yaml", "line 1: hunyuan_config: can't be set in the file that it names"),
        ("hunyuan_config: other.yaml", "line 1: hunyuan_config: can't be set in the file that it names"),
        ("redact: yes", "line 1: hunyuan_redact: accepted are true and false"),
        ("redact: [true, false]", "line 1: hunyuan_redact: accepted are"),
        ("redact:", "line 1: hunyuan_redact: accepted are true and false"),
        ("hosts: {localhost: hunyuan}", "line 1: hunyuan_hosts: accepted are text, a number"),
        ("hosts: [[localhost]]", "line 1: hunyuan_hosts: accepted are text, a number"),
        ("retry: !vault abc", "line 1: hunyuan_retry: accepted are text, a number"),
        ("retry: !!python/name:os.system", "line 1: hunyuan_retry: accepted are text, a number"),
        ("[retry]: all", "line 1: accepted are names of options"),
        ("<<: {retry: all}", "line 1: accepted are names of options"),
    ],
)
def test_what_can_not_be_taken_is_refused_with_the_line(text: str, why: str):
    with pytest.raises(ConfigError) as raised:
        said(text)
    assert str(raised.value).startswith(why)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        f"api_key: {SECRET}",
        f"HUNYUAN_API_KEY: {SECRET}",
        f"retry: all\nretry: {SECRET}",
        f"{SECRET}: x",
        f"{SECRET}",
        f"- {SECRET}",
        f"retry: '{SECRET}",
        f"retry: *{SECRET}",
        f"retry: !{SECRET} x",
        f"retry: {{a: {SECRET}}}",
        f"redact: {SECRET}",
    ],
)
def test_no_secret_is_repeated(text: str):
    with pytest.raises(ConfigError) as raised:
        said(text)
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("name", ["api_key", "hunyuan_api_key", "redis_password", "client_token", "tc3_secret"])
def test_where_a_key_belongs_is_said(name: str):
    with pytest.raises(ConfigError, match="HUNYUAN_API_KEY"):
        said(f"{name}: x")


def test_a_file_that_can_not_be_read(tmp_path: Path):
    with pytest.raises(ConfigError, match="can't be read: No such file"):
        config_file.read_file(tmp_path / "none", DEFAULTS)
    with pytest.raises(ConfigError, match="can't be read"):
        config_file.read_file(tmp_path, DEFAULTS)
    (tmp_path / "large").write_bytes(b"#" * (1 << 16) + b"\n")
    with pytest.raises(ConfigError, match="is larger than 64 kB"):
        config_file.read_file(tmp_path / "large", DEFAULTS)
    (tmp_path / "latin").write_bytes(b"mode: \xe9")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        config_file.read_file(tmp_path / "latin", DEFAULTS)


@given(st.text())
def test_any_text_is_read_or_refused(text: str):
    with contextlib.suppress(ConfigError):
        assert said(text).keys() <= DEFAULTS.keys()


settings = st.fixed_dictionaries(
    {},
    optional={
        option.name: st.booleans() if isinstance(option.default, bool) else st.integers() | st.sampled_from("abc")
        for option in OPTIONS
        if option.name != config_file.NAME
    },
)


@given(settings, st.booleans())
def test_what_any_yaml_writer_writes_is_read(values: dict[str, Any], prefixed: bool):
    written = io.StringIO()
    names = {name if prefixed else name.removeprefix("hunyuan_"): value for name, value in values.items()}
    YAML().dump(names, written)
    expected = {name: value if isinstance(value, bool) else str(value) for name, value in values.items()}
    assert said(written.getvalue()) == expected


# When it is taken


def test_what_the_command_line_gave():
    deferred = {"hunyuan_retry": ["all"], "hunyuan_mode": "off", "other": ["1"]}
    assert given_on_command_line(deferred, lambda value: value if isinstance(value, list) else None) == {
        "hunyuan_retry"
    }


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
        self.config = ConfigFile(OPTIONS)

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

    def begin(self, *given: str, **deferred: object) -> list[str]:
        """Start mitmproxy with these options: `given` of them on the command line, the others in its config.yaml."""
        self.options.deferred.update(deferred)
        host = HostOptions(self.options.deferred, lambda name: getattr(self.options, name), self.update)
        problems = self.config.begin(host, frozenset(given))
        self.options.process_deferred()
        return problems

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
    deferred = {"hunyuan_retry": "off", "hunyuan_mode": "off", "hunyuan_cascade": "never", "hunyuan_unknown": object()}
    assert running.begin("hunyuan_config", "hunyuan_retry", hunyuan_config=str(running.file), **deferred) == []
    assert running.values("mode", "retry", "cascade", "language") == ("observe", "off", "never", "en")
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
    assert caplog.messages == [f"{running.file}: changed hunyuan_mode, hunyuan_redact, hunyuan_retry."]


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
    assert record.message.startswith(f"{running.file}: ")
    assert re.search(r"[^?.][?.] None of it was applied: the settings are unchanged\.$", record.message)
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
    running.begin("hunyuan_config", "hunyuan_mode", hunyuan_config=str(running.file), hunyuan_mode="observe")
    await running.says("mode: repair\nretry: all")
    assert running.values("mode", "retry") == ("observe", "all")
    await running.says("")
    assert running.values("mode", "retry") == ("observe", "vision")
    assert caplog.messages[0] == f"{running.file}: changed hunyuan_retry; --set wins for hunyuan_mode."


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
        f"{running.file} doesn't exist: the settings are unchanged.",
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

    def slow(*arguments: Any) -> dict[str, str | bool]:
        values = reads(*arguments)
        running.write("mode: repair\nretry: all")
        monkeypatch.undo()
        return values

    monkeypatch.setattr(config_file, "read_file", slow)
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
    running.config.follow(other)
    await running.looks()
    assert running.values("mode", "language", "retry") == ("repair", "zh", "all")
    running.config.follow(None)
    await running.looks()
    assert running.values("mode", "language", "retry") == ("repair", "zh", "vision")


async def test_a_file_that_is_named_later_is_taken(running: Running):
    assert running.begin() == []
    running.write("mode: off")
    running.config.follow(running.file)
    await running.looks()
    assert running.values("mode") == ("off",)


async def test_a_hot_reload_begins_nothing_anew(running: Running, caplog: pytest.LogCaptureFixture):
    running.write("mode: off")
    running.begin(hunyuan_config=str(running.file), hunyuan_mode="observe")
    assert running.begin() == []
    running.config.follow(None)  # while options are declared they have their defaults
    running.config.follow(running.file)
    await running.looks()
    assert caplog.messages == []
    await running.says("retry: all")
    assert running.values("mode", "retry") == ("observe", "all")
