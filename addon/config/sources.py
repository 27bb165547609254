"""Where the value of an option comes from: the sources in their order, and what they say at a start.

The command line wins over the environment, that over the files of `hunyuan_config` (later ones over earlier ones),
those over mitmproxy's config.yaml, that over the default.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from ..texts.terminal import say
from . import environment as variables
from . import values as read_value
from .config_file import NAME, ConfigError, Line
from .option import Option, Value, Values

type Kind = Literal["--set", "environment", "file", "config.yaml", "default", "running"]
"""`running`: it was changed while the proxy ran, by none of the sources."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value, and the source that gives it."""

    value: Value
    kind: Kind
    place: str
    """The source as it is named to a person: `--set`, a variable, a file. The default has none."""
    line: int | None = None
    """The line of a file."""

    @property
    def where(self) -> str:
        """Place and line: `--set`, `HUNYUAN_MODE`, `prod.yaml:3`."""
        return self.place if self.line is None else f"{self.place}:{self.line}"


type Source = Mapping[str, Given]
"""Option name -> what one source gives it."""


def from_command_line(values: Values) -> Source:
    """What `--set` gives."""
    return {name: Given(value, "--set", "--set") for name, value in values.items()}


def from_environment(values: Values) -> Source:
    """What variables give."""
    return {name: Given(value, "environment", variables.variable(name)) for name, value in values.items()}


def from_mitmproxy_config(values: Values) -> Source:
    """What mitmproxy's config.yaml gives, where the process has read it: without its lines."""
    return {name: Given(value, "config.yaml", "config.yaml") for name, value in values.items()}


def from_files(contents: Iterable[tuple[Path, Mapping[str, Line]]]) -> Source:
    """What files give, the later ones over the earlier ones."""
    return {
        name: Given(line.value, "file", str(path), line.number)
        for path, lines in contents
        for name, line in lines.items()
    }


@dataclass(frozen=True, slots=True)
class Layers:
    """The sources of all options, the strongest first."""

    defaults: Values
    command_line: Source = field(default_factory=dict)
    environment: Source = field(default_factory=dict)
    files: Source = field(default_factory=dict)
    mitmproxy_config: Source = field(default_factory=dict)

    def given(self, name: str) -> Given:
        """What counts for the option `name`."""
        sources = (self.command_line, self.environment, self.files, self.mitmproxy_config)
        return next((source[name] for source in sources if name in source), Given(self.defaults[name], "default", ""))

    @property
    def all_given(self) -> Source:
        """What counts for each option that has a value from a source."""
        names = [name for name in self.defaults if self.given(name).kind != "default"]
        return {name: self.given(name) for name in names}

    def without_effect(self) -> dict[str, tuple[Given, Given]]:
        """Options of the files that a stronger source sets -> what the file gives, and what counts."""
        pairs = {name: (given, self.given(name)) for name, given in self.files.items()}
        return {name: pair for name, pair in pairs.items() if pair[1].kind != "file"}

    def changed(self, files: Source) -> dict[str, Value]:
        """The options that the files gave or give, with the values that count once the files say `files`.

        An option that they say no more falls back to config.yaml or the default. Those of stronger sources aren't
        among them.
        """
        after = replace(self, files=files)
        names = {*self.files, *files} - {*self.command_line, *self.environment}
        return {name: after.given(name).value for name in self.defaults if name in names}

    def located(self, problem: str) -> str:
        """A problem that begins with an option's name, with the place in the name's stead or before it."""
        found = re.match(r"(hunyuan_\w+)[=:]", problem)
        if not found or found[1] not in self.defaults:
            return problem
        given = self.given(found[1])
        if given.kind == "environment":
            return given.place + problem.removeprefix(found[1])
        if given.line is not None:
            return in_file(given.place, say("line {line}: {problem}", line=given.line, problem=problem))
        return in_file(given.place, problem) if given.kind == "config.yaml" else problem


def in_file(file: object, problem: object) -> str:
    """A problem of a file, which it names first."""
    return f"{file}: {problem}"


@dataclass(frozen=True, slots=True)
class Start:
    """What all sources say at a start."""

    layers: Layers
    paths: Sequence[Path] = ()
    """The files of options, in their order."""
    problems: list[str] = field(default_factory=list)
    """A line for each thing that can't be taken."""
    notes: list[str] = field(default_factory=list)
    """A line for each variable without effect."""


def at_start(
    options: Sequence[Option],
    command_line: Source,
    environment: Mapping[str, str],
    mitmproxy_config: Source,
    read: Callable[[Path], Mapping[str, Line]],
) -> Start:
    """Gather what the sources say. `read`: the content of a file of options; raises `ConfigError`."""
    said = variables.read(environment, options)
    defaults = {option.name: option.default for option in options}
    layers = Layers(defaults, command_line, from_environment(said.values), {}, mitmproxy_config)
    problems = list(said.problems)
    contents: list[tuple[Path, Mapping[str, Line]]] = []
    named = layers.given(NAME)
    try:
        paths = read_value.paths(str(named.value))
    except ValueError as error:
        paths = ()
        problems.append(layers.located(f"{NAME}={named.value}: {error}"))
    for path in paths:
        try:
            contents.append((path, read(path)))
        except ConfigError as error:
            problems.append(layers.located(f"{NAME}: {in_file(path, error)}"))
    return Start(replace(layers, files=from_files(contents)), paths, problems, said.notes)
