"""The coding agents that are known, and what each needs: `agents.toml`, read once and frozen."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import PureWindowsPath
from types import MappingProxyType
from typing import Any, Literal

from ...texts.terminal import say

type Value = str | Mapping[str, Any]
"""The template of a variable's value: text, or a table that becomes JSON."""


@dataclass(frozen=True, slots=True)
class Argument:
    """An option on an agent's command line. The first flag is the one that is given."""

    flags: tuple[str, ...]
    value: str

    def is_among(self, words: Sequence[str]) -> bool:
        """Whether the user gives this option in `words`: `--model x` or `--model=x`."""
        return any(word.partition("=")[0] in self.flags for word in words)


@dataclass(frozen=True, slots=True)
class Agent:
    """One coding agent. `agents.toml` says what each field means."""

    name: str
    title: str
    commands: tuple[str, ...]
    dialect: Literal["chat", "anthropic", "responses"]
    arguments: tuple[Argument, ...] = ()
    config: Mapping[str, str] = field(default_factory=dict)
    set: Mapping[str, Value] = field(default_factory=dict)
    default: Mapping[str, str] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    folder: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    off: Mapping[str, str] = field(default_factory=dict)

    @property
    def page(self) -> str:
        """Its page in the repository."""
        return f"docs/clients/{self.name}.md"


@cache
def agents() -> Mapping[str, Agent]:
    """All agents, by name."""
    tables = tomllib.loads(resources.files(__package__).joinpath("agents.toml").read_text("utf-8"))
    return MappingProxyType({name: agent_of(name, table) for name, table in tables.items()})


def add_agent(parser: argparse._ActionsContainer) -> None:
    """Add `--for`, the agent's name (`agent` in what is parsed), and `--model` to `parser`."""
    text = say("the model that the agent asks for (default: the endpoint's text model)")
    parser.add_argument("--for", dest="agent", choices=list(agents()), metavar="AGENT", help=", ".join(agents()))
    parser.add_argument("--model", help=text)


def of_command(word: str) -> Agent | None:
    """The agent that the program `word` is, by the end of its path; `None` for one that isn't known."""
    # A path of Windows also has the separators of all others.
    name = PureWindowsPath(word).name
    if PureWindowsPath(name).suffix.lower() in (".exe", ".cmd", ".bat", ".ps1"):
        name = PureWindowsPath(name).stem
    return next((agent for agent in agents().values() if name in agent.commands), None)


def agent_of(name: str, table: Mapping[str, Any]) -> Agent:
    """The agent `name` whose table in `agents.toml` is `table`. Raises `TypeError` for a field that there isn't."""
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    fields["arguments"] = tuple(Argument(tuple(one["flags"]), one["value"]) for one in table.get("arguments", ()))
    return Agent(name=name, **fields)
