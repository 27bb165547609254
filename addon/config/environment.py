"""Options from the environment: `HUNYUAN_MODE=observe` is the option `hunyuan_mode`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ..did_you_mean import did_you_mean
from ..texts.terminal import say
from .option import PREFIX, Option, Value, switch

VARIABLES = PREFIX.upper()
"""The prefix of all variables."""

OTHERS: Mapping[str, str] = MappingProxyType(
    {
        "HUNYUAN_API_KEY": "The key to lend to requests that have none.",
        "HUNYUAN_ALERT_WEBHOOK": "The URL that is told of alerts, by POST.",
        "HUNYUAN_ADMIN_TOKEN": "The token of the admin server.",
        "HUNYUAN_REDIS_PASSWORD": "The password for the Redis server of hunyuan_store.",
        "HUNYUAN_REDIS_SENTINEL_PASSWORD": "The password for the Sentinels of hunyuan_store, where they have one.",
        "HUNYUAN_FIX_PORT": "The port of the proxy, instead of 8080.",
        "HUNYUAN_FIX_REVERSE_PORT": "The port of the reverse proxy, instead of 4000.",
        "HUNYUAN_FIX_VENV": "In a clone: the folder of the Python environment, instead of .venv.",
        "HUNYUAN_FIX_PYTHON": "In a clone: the Python that makes this environment.",
        "HUNYUAN_FIX_EXTRA": (
            "In a clone: an extra of pyproject.toml that this environment must have too: redis, otel or dev."
        ),
        "HUNYUAN_FIX_CHROMIUM": "For tests and screenshots: the browser.",
        "HUNYUAN_FIX_CLIENTS": "For tests: the folder of the coding agents.",
        "HUNYUAN_FIX_REDIS": "For tests: the Redis server's program.",
        "HUNYUAN_FIX_PROMTOOL": "For tests: the program promtool of Prometheus.",
        "HUNYUAN_FIX_HAPROXY": "For tests: the program of HAProxy.",
        "HUNYUAN_FIX_SYSTEMD_ANALYZE": "For tests: the program systemd-analyze.",
    }
)
"""Variables with the prefix that are no options -> what they are for."""

_OF_TESTS = f"{VARIABLES}FIX_TEST_"
_GIVES_WAY = {"HUNYUAN_API_KEY_FILE": "HUNYUAN_API_KEY"}
"""The variable of an option -> the variable that counts in its place where both are set."""
_LIKENESS = 0.75
"""Other programs have variables with this prefix too: only a name that is very like one of ours is taken for it."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What the variables say."""

    values: Mapping[str, Value] = field(default_factory=dict)
    """Option name -> value."""
    problems: list[str] = field(default_factory=list)
    """A line for each value that can't be taken."""
    notes: list[str] = field(default_factory=list)
    """A line for each variable that looks misspelt, and one for all others that have no effect. They name no value."""


def variable(option: str) -> str:
    """The variable of the option of this name."""
    return option.upper()


def read(environment: Mapping[str, str], options: Iterable[Option]) -> Environment:
    """The options that `environment` gives. An empty variable gives none, as unset ones in a compose file do.

    What a text means is checked with all other options (`options.parse`).
    """
    known = {variable(option.name): option for option in options}
    given = {name: value.strip() for name, value in environment.items() if name.upper().startswith(VARIABLES)}
    values: dict[str, Value] = {}
    problems = []
    for name, value in given.items():
        if not value or name not in known or given.get(_GIVES_WAY.get(name, "")):
            continue
        option = known[name]
        try:
            values[option.name] = switch(value) if option.type is bool else value
        except ValueError as error:
            problems.append(f"{name}={value}: {error}")
    strangers = [name for name in given if name not in known and name not in OTHERS and not name.startswith(_OF_TESTS)]
    return Environment(values, problems, _notes(sorted(strangers), [*known, *OTHERS]))


def _notes(strangers: Iterable[str], known: Collection[str]) -> list[str]:
    """Lines about the variables `strangers`, which are neither options nor read by anything else of this program."""
    notes, foreign = [], []
    for name in strangers:
        if near := _near(name.upper(), known):
            notes.append(say("{name} has no effect; did you mean {near}?", name=name, near=near))
        else:
            foreign.append(name)
    if foreign:
        notes.append(say("Not known to hunyuan-fix, and without effect on it: {names}.", names=", ".join(foreign)))
    return notes


def _near(name: str, known: Collection[str]) -> str | None:
    """The variable that `name`, in upper case, is very likely meant to be. Compared without their prefix."""
    rest = name.removeprefix(VARIABLES)
    if (meant := VARIABLES + rest.removeprefix("FIX_")) in known:
        return meant
    near = did_you_mean(rest, [other.removeprefix(VARIABLES) for other in known], _LIKENESS)
    return near and VARIABLES + near
