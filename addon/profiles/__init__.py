"""Profiles: what one family of endpoints demands. Data (TOML beside this file), read once and frozen.

To add a provider, put a TOML file into this folder; the file's name is the profile's name (docs/profiles.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from . import files
from .models import finder, model, over, row
from .reading import ProfileError, read
from .types import (
    Embeddings,
    ErrorKind,
    ErrorRule,
    Family,
    Grammar,
    Model,
    Native,
    Parameter,
    ParameterType,
    Price,
    Profile,
    Replay,
    Thinking,
)

__all__ = [
    "FOLDERS",
    "Embeddings",
    "ErrorKind",
    "ErrorRule",
    "Family",
    "Grammar",
    "Model",
    "Native",
    "Parameter",
    "ParameterType",
    "Price",
    "Profile",
    "ProfileError",
    "Replay",
    "Thinking",
    "at",
    "by_host",
    "families",
    "forget",
    "load",
    "names",
    "over",
    "shut_down",
    "use",
]

_SHIPPED = resources.files(__name__)

FOLDERS: tuple[Traversable, ...] = (_SHIPPED,)
"""Folders with data files. The keys of a file are laid over those of the file of that name in the folders before."""

_version: files.Version = files.version(None)
"""The files of the user's folder that are in use."""


@cache
def families() -> tuple[Family, ...]:
    """All families. Raises `ProfileError`."""
    return files.families(FOLDERS)


@cache
def names() -> tuple[str, ...]:
    """The names of all profiles, in alphabetical order."""
    return files.names(FOLDERS)


@cache
def load(name: str) -> Profile:
    """Read the profile `name`. Raises `KeyError` for a name that is not in `names()`, `ProfileError` for a bad file."""
    if name not in names():
        raise KeyError(name)
    keys, own = files.profile(name, FOLDERS)
    rows = keys.pop("models", {})
    keys.setdefault("vendor", name)
    thinking = keys.get("thinking", {})
    models = {
        key: model(key, row(key, families(), rows, thinking), f'{name}.toml: models."{key}"')
        for key in own
        if key in rows
    }
    find = finder(families(), rows, thinking)
    return read(Profile, {**keys, "models": {}}, f"{name}.toml: ", name=name, models=models, find=find)


@cache
def by_host() -> Mapping[str, tuple[tuple[str, str], ...]]:
    """Host -> pairs of a path and the profile for what is below it; the longest path first, `""` for the whole host.

    Raises `ValueError` if two profiles have the same address.
    """
    found: dict[str, dict[str, str]] = {}
    for name in names():
        for address in load(name).hosts:
            host, _, path = address.partition("/")
            prefix = f"/{path.strip('/')}".rstrip("/")
            other = found.setdefault(host, {}).setdefault(prefix, name)
            if other != name:
                raise ProfileError(f"{address} is in two profiles, {other} and {name}")
    return {host: tuple(sorted(paths.items(), key=lambda item: -len(item[0]))) for host, paths in found.items()}


def at(host: str, path: str = "") -> str | None:
    """The name of the profile of the requests to `path` at `host`; `None` where there is none.

    A profile's path covers itself and what is below it, and the longest that does wins. `host` is canonical
    (`wire.host_names`), `path` normal (`wire.paths.normal`).
    """
    return next((name for prefix, name in by_host().get(host, ()) if f"{path}/".startswith(f"{prefix}/")), None)


def shut_down(host: str) -> Profile | None:
    """The profile of `host` if the host has been shut down, with all its profiles; else `None`."""
    found = [load(name) for _, name in by_host().get(host.lower(), ())]
    return found[0] if found and all(profile.shut_down for profile in found) else None


def use(folder: Path | None, check: Callable[[str, Profile], None]) -> None:
    """Lay the files in `folder` over the shipped ones; `None`: use those alone. The same files aren't read again.

    `check` is given the name of each profile and the profile, and raises `ProfileError`, as does a file that can't be
    used. Then nothing has changed.
    """
    global FOLDERS, _version  # noqa: PLW0603 - a process has one set of profiles
    version = files.version(folder)
    if version == _version:
        return
    before, FOLDERS = FOLDERS, (_SHIPPED, folder) if folder else (_SHIPPED,)
    forget()
    try:
        by_host()
        for name in names():
            check(name, load(name))
    except ProfileError:
        FOLDERS = before
        forget()
        raise
    _version = version


def forget() -> None:
    """Let the files be read anew."""
    for known in (names, load, by_host, families):
        known.cache_clear()
