"""The agents that are known: each has what the data's head says, a page, and no more than the code reads."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix.cli.agents import table
from hunyuan_fix.cli.agents.table import Agent, agents, of_command
from hunyuan_fix.cli.agents.variables import KEY, Target, variables
from hunyuan_fix.profiles import load

ROOT = Path(__file__).resolve().parents[3]
FIELDS = {"base_url", "model", "key", "window", "compact", "output", "off"}
ONE_MORE = """
[crush]
title = "Crush"
commands = ["crush"]
dialect = "chat"
set = { OPENAI_BASE_URL = "$base_url", OPENAI_API_KEY = "$key", CRUSH_MODEL = "$model" }
"""


@pytest.fixture(params=agents())
def agent(request: pytest.FixtureRequest) -> Agent:
    return agents()[request.param]


def templates(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from [name, *templates(one)]


def test_each_has_its_page(agent: Agent) -> None:
    assert (ROOT / agent.page).is_file()
    assert f"run -- {agent.commands[0]}" in (ROOT / agent.page).read_text("utf-8")


def test_each_gets_where_the_proxy_is_the_key_and_the_model(agent: Agent) -> None:
    values = [*agent.set.values(), *agent.config.values()]
    used = {field for value in values for text in templates(value) for field in re.findall(r"\$(\w+)", text)}
    assert {"base_url", "model", "key"} <= used


def test_no_template_has_a_field_that_nothing_fills(agent: Agent) -> None:
    words = [*agent.config.values(), *(argument.value for argument in agent.arguments)]
    values = [*agent.set.values(), *agent.default.values(), *words]
    for text in (text for value in values for text in templates(value)):
        assert set(re.findall(r"\$(\w*)", text)) <= FIELDS, text
        assert text == KEY or KEY not in text, "a key is never a part of a longer text"
    assert not any(KEY in word for word in words), "every process can read a command line"
    assert not set(agent.set) & {*agent.default, *agent.unset}


def test_no_two_are_the_same_program() -> None:
    commands = [command for agent in agents().values() for command in agent.commands]
    assert len(commands) == len(set(commands))


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("claude", "claude-code"),
        ("/usr/local/bin/claude", "claude-code"),
        ("./claude", "claude-code"),
        (r"C:\Users\x\AppData\Roaming\npm\claude.CMD", "claude-code"),
        ("kimi.exe", "kimi-code"),
        ("claude-squad", None),
        ("claude.py", None),
        ("python", None),
    ],
)
def test_an_agent_is_known_by_its_program(word: str, name: str | None) -> None:
    found = of_command(word)
    assert (found.name if found else None) == name


def test_another_agent_is_a_few_lines(tmp_path: Path) -> None:
    ((name, given),) = tomllib.loads(ONE_MORE).items()
    made = table.agent_of(name, given)
    profile = load("tokenhub")
    target = Target(8080, 4000, tmp_path, profile, profile.model("hy3"))
    ours = variables(made, target, {})
    assert ours.values["OPENAI_BASE_URL"] == "http://127.0.0.1:4000/v1"
    assert ours.values["CRUSH_MODEL"] == "hy3"
    assert ours.keys == ("OPENAI_API_KEY",)


def test_a_table_with_a_field_that_is_unknown_is_no_agent() -> None:
    given: dict[str, Any] = {"title": "X", "commands": ["x"], "dialect": "chat", "colour": "red"}
    with pytest.raises(TypeError):
        table.agent_of("x", given)
