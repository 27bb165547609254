"""The data files: which there are, what each holds, and what is laid over what.

A profile's keys come from three places, the later over the earlier: the profile that it `extends`, the shipped file of
its name, the file of that name in the user's folder. Each file is checked for itself, so that an error names it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from .models import is_pattern
from .reading import REMOVED, ProfileError, check, merged
from .types import Family, Model, Profile, Thinking

type _Table = dict[str, Any]

_SUFFIX = ".toml"
_FAMILIES = "families"
"""The folder of the files with families, below a folder of profiles."""
_HIDDEN = "_"
"""What the name of a file begins with that is only there to be extended."""
_NOT_INHERITED = ("hosts", "shut_down", "moved_to")


type Version = tuple[tuple[str, ...], ...]
"""What identifies the content of a folder's files."""


def version(folder: Path | None) -> Version:
    """The version of the files in `folder`; of no folder it is empty. Files that can't be looked at are missing."""
    if folder is None:
        return ()
    found: list[tuple[str, ...]] = [(str(folder),)]
    for file in sorted([*folder.glob(f"*{_SUFFIX}"), *folder.glob(f"{_FAMILIES}/*{_SUFFIX}")]):
        with suppress(OSError):
            status = file.stat()
            found.append(
                (str(file), *map(str, (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)))
            )
    return tuple(found)


def names(folders: Sequence[Traversable]) -> tuple[str, ...]:
    """The names of all profiles, in alphabetical order."""
    found = {name for folder in folders for name in _files(folder)}
    return tuple(sorted(name for name in found if not name.startswith(_HIDDEN)))


def profile(name: str, folders: Sequence[Traversable]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """All keys of the profile `name`, and the ids of its models: those that its own files name, in their order.

    Of the models of the profile that it extends it knows the rows, but it doesn't have these models.
    Raises `ProfileError`, and `KeyError` where there is no such file.
    """
    own, keys = _extended(name, folders, ())
    return keys, tuple(key for key in own.get("models", {}) if not is_pattern(key))


def families(folders: Sequence[Traversable]) -> tuple[Family, ...]:
    """All families; of two with the same name, in files of the same name, the keys of the later one are laid over."""
    found: dict[str, dict[str, Any]] = {}
    for folder in folders:
        below = folder.joinpath(_FAMILIES)
        for name, file in sorted(_files(below).items()) if below.is_dir() else ():
            tables = _parsed(file)
            for key, table in tables.items():
                _check_family(table, f"{_FAMILIES}/{file.name}: {key}")
            found[name] = merged(found.get(name, {}), tables)
    return tuple(_families(found))


def _families(found: Mapping[str, Mapping[str, Any]]) -> Iterator[Family]:
    for name, tables in found.items():
        for key, table in tables.items():
            if "ids" not in table:
                raise ProfileError(
                    f"{_FAMILIES}/{name}{_SUFFIX}: {key}.ids: missing; a family needs patterns of its ids"
                )
            yield Family(tuple(table["ids"]), {name: value for name, value in table.items() if name != "ids"})


def _check_family(table: object, place: str) -> None:
    if table is REMOVED:
        return
    if not isinstance(table, dict):
        raise ProfileError(f"{place}: accepted is a table")
    check(Family, {key: value for key, value in table.items() if key == "ids"}, place, partial=True)
    check(Model, {key: value for key, value in table.items() if key != "ids"}, place, partial=True)


def _extended(
    name: str, folders: Sequence[Traversable], below: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The keys of the files of `name`, and the same over those of the profile that it extends."""
    files = [file for folder in folders if (file := _files(folder).get(name))]
    if not files:
        raise KeyError(name)
    own: dict[str, Any] = {}
    for file in files:
        table = _parsed(file)
        _check_profile(table, file.name)
        own = merged(own, table)
    parent = own.get("extends")
    if not parent:
        return own, own
    if parent in (*below, name):
        raise ProfileError(f"{files[-1].name}: extends: {parent} extends this profile itself")
    try:
        _, inherited = _extended(parent, folders, (*below, name))
    except KeyError:
        raise ProfileError(f"{files[-1].name}: extends: there is no profile {parent}") from None
    return own, merged({key: value for key, value in inherited.items() if key not in _NOT_INHERITED}, own)


def _check_profile(table: Mapping[str, Any], file: str) -> None:
    check(Profile, table, f"{file}: ", partial=True)
    check(Thinking, table.get("thinking", {}), f"{file}: thinking", partial=True)
    for model_id in table.get("models", {}):
        if is_pattern(model_id) and model_id != model_id.lower():
            raise ProfileError(f'{file}: models."{model_id}": a pattern is in lower case')


def _files(folder: Traversable) -> dict[str, Traversable]:
    """Name of a data file, without its suffix -> the file."""
    found = {file.name: file for file in folder.iterdir()} if folder.is_dir() else {}
    return {name.removesuffix(_SUFFIX): found[name] for name in sorted(found) if name.endswith(_SUFFIX)}


def _parsed(file: Traversable) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(f"{file.name}: is no TOML: {error}") from None
    except OSError as error:
        raise ProfileError(f"{file.name}: can't be read: {error.strerror}") from None
