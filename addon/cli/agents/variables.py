"""The environment that an agent gets: where the proxy is, which model, how large its window is."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from types import MappingProxyType
from typing import Any, Self

from ... import profiles
from ...counting import window as windows
from ...profiles import Model, Profile
from ..addresses import HOST
from ..client_setup import client_variables, stronger_variables
from ..doctor.proxy_address import EXCEPTION_VARIABLES, exceptions_for
from .proxy import Proxy
from .table import Agent

KEY, _BASE_URL = "$key", "$base_url"
_BELOW: Mapping[str, str] = MappingProxyType({"chat": "/v1", "responses": "/v1", "anthropic": ""})
"""Dialect -> the path of a base URL in it."""


@dataclass(frozen=True, slots=True)
class Target:
    """The proxy that an agent uses, and the model that it asks for."""

    port: int
    reverse_port: int
    confdir: Path
    profile: Profile
    """That of the endpoint which the proxy sends calls to."""
    model: Model
    own_window: int | None = None
    """The user's number for `window`: `hunyuan_window`."""

    @classmethod
    def by(cls, proxy: Proxy, model: str | None, own_window: int | None = None) -> Self:
        """`proxy`, and `model` or else the text model of its endpoint. TokenHub's if the proxy doesn't tell."""
        profile = profiles.load(proxy.profile if proxy.profile in profiles.names() else "tokenhub")
        chosen = profile.model(model or profile.text_model)
        return cls(proxy.port, proxy.reverse_port, proxy.confdir, profile, chosen, own_window)

    @property
    def window(self) -> int | None:
        """Tokens that the model takes as input; `None` if that isn't known."""
        return windows.limit(self.model, own=self.own_window)


@dataclass(frozen=True, slots=True)
class Variables:
    """What changes in an environment."""

    values: Mapping[str, str]
    keys: tuple[str, ...] = ()
    """Those that get the API key, whose value is never written down here."""
    unset: tuple[str, ...] = ()

    def of(self, environment: Mapping[str, str], key: str) -> dict[str, str]:
        """The environment with these changes."""
        kept = {name: value for name, value in environment.items() if name not in self.unset}
        return {**kept, **self.values, **dict.fromkeys(self.keys, key)}


def variables(agent: Agent | None, target: Target, environment: Mapping[str, str]) -> Variables:
    """What `agent` needs in `environment` to use the proxy; `None`: what every client needs."""
    general = client_variables(target.port, target.confdir)
    values = {**general, **stronger_variables(general, environment), **_exceptions(environment)}
    if agent is None:
        return Variables(values)
    known = _known(agent, target)
    keys = tuple(name for name, value in agent.set.items() if value == KEY)
    for name, value in agent.set.items():
        if name not in keys and (filled := _filled(value, known)) is not None:
            values[name] = filled if isinstance(filled, str) else _joined(environment.get(name), filled)
    for name, value in agent.default.items():
        if not environment.get(name) and (filled := _filled(value, known)) is not None:
            values[name] = str(filled)
    return Variables(values, keys, agent.unset)


def arguments_before(agent: Agent, target: Target, words: Sequence[str]) -> list[str]:
    """The options that `agent` is given before the user's own arguments `words`."""
    known = _known(agent, target)
    missing = [argument for argument in agent.arguments if not argument.is_among(words)]
    options = [word for argument in missing for word in (argument.flags[0], str(_filled(argument.value, known)))]
    settings = [f"{name}={_on_command_line(value)}" for name, value in config(agent, target).items()]
    return [*(word for setting in settings for word in ("-c", setting)), *options]


def config(agent: Agent, target: Target) -> Mapping[str, str | int]:
    """The settings that `agent` is given on its command line, by their dotted names."""
    known = _known(agent, target)
    filled = {name: _filled(template, known) for name, template in agent.config.items()}
    return {name: value for name, value in filled.items() if value is not None}


def config_file(agent: Agent, target: Target) -> str:
    """The same settings as lines of a TOML file; `""` without any."""
    tables: dict[str, list[str]] = {"": []}
    for name, value in config(agent, target).items():
        table, _, key = name.rpartition(".")
        tables.setdefault(table, []).append(f"{key} = {json.dumps(value)}\n")
    return "\n".join((f"[{table}]\n" if table else "") + "".join(lines) for table, lines in tables.items())


def _on_command_line(value: str | int) -> str:
    """`value` as such an option takes it: TOML, or a text that isn't TOML."""
    try:
        tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return str(value)
    return json.dumps(value)


def stronger_settings(
    agent: Agent, ours: Mapping[str, str], environment: Mapping[str, str]
) -> Iterator[tuple[Path, list[str]]]:
    """The agent's own files that would send its calls elsewhere, or another key here: file, and the variables in it.

    `ours`: the values that it gets. A file with our base URL is meant for this proxy, its key too.
    """
    bases = [name for name, value in agent.set.items() if value == _BASE_URL]
    keys = [name for name, value in agent.set.items() if value == KEY]
    variable, default = agent.folder or ("", "")
    folder = environment.get(variable) or default
    for name in agent.settings:
        file = Path(Template(name).substitute(folder=folder)).expanduser()
        given = _environment_in(file)
        if any(given.get(name) != ours[name] for name in bases):
            names = [name for name in (*bases, *keys, *agent.unset) if given.get(name)]
            if names:
                yield file, names


def _environment_in(file: Path) -> Mapping[str, Any]:
    try:
        read = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):  # the agent itself says what is wrong with its file
        return {}
    given = read.get("env") if isinstance(read, dict) else None
    return given if isinstance(given, dict) else {}


def _known(agent: Agent, target: Target) -> dict[str, str | int]:
    """The values of the fields in templates, as far as they are known."""
    parameters = target.profile.parameters
    off = [f"-{name}" for name, needed in agent.off.items() if needed not in parameters]
    values: dict[str, str | int | None] = {
        "base_url": f"http://{HOST}:{target.reverse_port}{_BELOW[agent.dialect]}",
        "model": target.model.id,
        "window": target.window,
        "compact": windows.to_compact_at(target.window) if target.window else None,
        "output": target.model.output,
        "off": ",".join(off) or None,
    }
    return {name: value for name, value in values.items() if value is not None}


def _filled(template: Any, known: Mapping[str, str | int]) -> Any:
    """`template` with its fields filled in; a text that is one field with a number becomes that number.

    `None` where a field isn't known: for a text, and for a table that has such a text. A table without such a table
    in it is whole.
    """
    if isinstance(template, str):
        alone = known.get(template.removeprefix("$")) if template.startswith("$") else None
        if isinstance(alone, int):
            return alone
        try:
            return Template(template).substitute(known)
        except KeyError:
            return None
    if not isinstance(template, Mapping):
        return template
    filled = [(_filled(name, known), value, _filled(value, known)) for name, value in template.items()]
    if any(done is None and isinstance(value, str) for _, value, done in filled):
        return None
    return {name: done for name, _, done in filled if done is not None}


def _joined(given: str | None, ours: Mapping[str, Any]) -> str:
    """`ours` as JSON, with what the JSON object `given` has beside it."""
    try:
        theirs = json.loads(given or "{}")
    except ValueError:
        theirs = {}
    return json.dumps(_over(theirs if isinstance(theirs, dict) else {}, ours), ensure_ascii=False)


def _over(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    joined = {
        name: _over(theirs[name], value) if isinstance(value, Mapping) and isinstance(theirs.get(name), dict) else value
        for name, value in ours.items()
    }
    return {**theirs, **joined}


def _exceptions(environment: Mapping[str, str]) -> dict[str, str]:
    """`NO_PROXY` with this machine in it, where base URLs lead, and without what sends calls past the proxy."""
    given = next((environment[name] for name in EXCEPTION_VARIABLES if environment.get(name)), "")
    past = {entry for host in profiles.by_host() for entry in exceptions_for(host, environment)}
    entries = [entry for word in given.split(",") if (entry := word.strip()) and entry not in past]
    value = ",".join(dict.fromkeys([*entries, HOST, "localhost"]))
    return {"NO_PROXY": value, **{name: value for name in EXCEPTION_VARIABLES if name in environment}}
