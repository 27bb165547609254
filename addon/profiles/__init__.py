"""Profiles: what one family of endpoints demands. Data (TOML beside this file), read once and frozen.

To add a provider, put a TOML file into this folder; the file's name is the profile's name (docs/profiles.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from . import files
from .files import version
from .models import Families, finder, is_pattern, model, over, row
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
    "is_in_use",
    "load",
    "names",
    "over",
    "shut_down",
    "use",
    "version",
]

_SHIPPED = resources.files(__name__)

FOLDERS: tuple[Traversable, ...] = (_SHIPPED,)
"""Folders with data files. The keys of a file are laid over those of the file of that name in the folders before."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    """All that the files of some folders say."""

    families: tuple[Family, ...]
    profiles: Mapping[str, Profile]
    by_host: Mapping[str, tuple[tuple[str, str], ...]]


_loaded: _Loaded | None = None
"""`None`: the files are read when they are asked for."""
_version: files.Version = files.version(None)
"""The files of the user's folder that are in use."""
_below: tuple[Path, ...] = ()
"""The folders that are in use between the shipped one and the user's."""


def families() -> tuple[Family, ...]:
    """All families. Raises `ProfileError`, as the other functions here do, if a file can't be used."""
    return _now().families


def names() -> tuple[str, ...]:
    """The names of all profiles, in alphabetical order."""
    return tuple(_now().profiles)


def load(name: str) -> Profile:
    """The profile `name`. Raises `KeyError` for a name that is not in `names()`."""
    return (_loaded or _now()).profiles[name]


def by_host() -> Mapping[str, tuple[tuple[str, str], ...]]:
    """Host -> pairs of a path and the profile for what is below it; the longest path first, `""` for the whole host."""
    return _now().by_host


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


def use(folder: Path | None, check: Callable[[Profile], None], below: Sequence[Path] = ()) -> None:
    """Lay the files in `folder` over those in the folders `below`, and these over the shipped ones.

    `None`: there is no such folder. The same files aren't read again; those `below` are read once.
    `check` is given each profile, and raises `ProfileError`, as does a file that can't be used. Then nothing changes.
    """
    global FOLDERS, _loaded, _version, _below
    seen = version(folder)
    if is_in_use(seen) and _below == tuple(below):
        return
    folders = (_SHIPPED, *below, folder) if folder else (_SHIPPED, *below)
    loaded = _read(folders)
    for profile in loaded.profiles.values():
        check(profile)
    FOLDERS, _loaded, _version, _below = folders, loaded, seen, tuple(below)


def is_in_use(version: files.Version) -> bool:
    """Whether the files of the user's folder that are in use have the `version`."""
    return version == _version


def forget() -> None:
    """Let the files in `FOLDERS` be read anew."""
    global _loaded  # noqa: PLW0603
    _loaded = None


def _now() -> _Loaded:
    global _loaded  # noqa: PLW0603
    if _loaded is None:
        _loaded = _read(FOLDERS)
    return _loaded


def _read(folders: Sequence[Traversable]) -> _Loaded:
    known, tables = files.families(folders), files.tables(folders)
    lookup = Families(known)
    read = {name: _profile(name, tables, lookup) for name in tables if not files.is_hidden(name)}
    return _Loaded(known, read, _by_host(read))


def _profile(name: str, tables: Mapping[str, dict[str, Any]], families: Families) -> Profile:
    keys = {"vendor": name, **files.extended(name, tables)}
    rows, thinking = keys.get("models", {}), keys.get("thinking", {})
    models = {
        key: model(key, row(key, families, rows, thinking), f'{name}.toml: models."{key}"')
        for key in tables[name].get("models", {})
        if key in rows and not is_pattern(key)
    }
    find = finder(families, rows, thinking)
    return read(Profile, {**keys, "models": {}}, f"{name}.toml: ", name=name, models=models, find=find)


def _by_host(read: Mapping[str, Profile]) -> Mapping[str, tuple[tuple[str, str], ...]]:
    found: dict[str, dict[str, str]] = {}
    for name, profile in read.items():
        for address in profile.hosts:
            host, _, path = address.partition("/")
            prefix = f"/{path.strip('/')}".rstrip("/")
            other = found.setdefault(host, {}).setdefault(prefix, name)
            if other != name:
                raise ProfileError(f"{address} is in two profiles, {other} and {name}")
    return {host: tuple(sorted(paths.items(), key=lambda item: -len(item[0]))) for host, paths in found.items()}
