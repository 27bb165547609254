"""The data files: which there are, what each holds, and what is laid over what.

A profile's keys come from three places, the later over the earlier: the profile that it `extends`, the shipped file of
its name, the file of that name in the user's folder. Each file is checked for itself, so that an error names it.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from ..did_you_mean import suggestion
from .models import is_pattern
from .reading import REMOVED, ProfileError, check, merged
from .types import Family, Model, Profile, Thinking

type _Table = dict[str, Any]

_SUFFIX = ".toml"
_FAMILIES = "families"
"""The folder of the files with families, below a folder of profiles."""
_HIDDEN = "_"
"""What the name of a file begins with that is only there to be extended."""
_NOT_INHERITED = ("hosts", "currencies", "vendor", "shut_down", "moved_to")


_CURRENCY = re.compile("[A-Z]{3}")
_KINDS_OF_TOKENS = ("input", "cached", "written", "output")
_MOST = 1e9
"""No million tokens cost that much, in any currency."""

type Version = tuple[tuple[str, ...], ...]
"""What identifies the content of a folder's files; empty: there is no folder."""


def version(folder: Path | None) -> Version:
    """The version of the files in `folder`; of none it is empty. Files that can't be looked at are missing."""
    if folder is None or not folder.is_dir():
        return ()
    found: list[tuple[str, ...]] = [(str(folder),)]
    for file in sorted([*folder.glob(f"*{_SUFFIX}"), *folder.glob(f"{_FAMILIES}/*{_SUFFIX}")]):
        with suppress(OSError):
            status = file.stat()
            found.append(
                (str(file), *map(str, (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)))
            )
    return tuple(found)


def tables(folders: Sequence[Traversable]) -> dict[str, _Table]:
    """Name of each profile, also of those that are only there to be extended -> the keys of its files.

    In alphabetical order. Raises `ProfileError`.
    """
    found: dict[str, _Table] = {}
    for folder in folders:
        for name, file in _files(folder).items():
            table = _parsed(file)
            _check_profile(table, file.name)
            found[name] = merged(found.get(name, {}), table)
    return {name: found[name] for name in sorted(found)}


def is_hidden(name: str) -> bool:
    """Whether the profile `name` is only there to be extended."""
    return name.startswith(_HIDDEN)


def extended(name: str, tables: Mapping[str, _Table], below: tuple[str, ...] = ()) -> _Table:
    """The keys of the profile `name` over those of the profile that it extends. Raises `ProfileError`.

    `below`: the profiles that extend this one.
    """
    own = tables[name]
    parent = own.get("extends")
    if not parent:
        if "messages" not in own:  # a provider of the user's own: the error for it isn't a list of all tables
            like = 'the profile that it is like, "_compatible" for any that is like OpenAI\'s'
            raise ProfileError(f"{name}{_SUFFIX}: extends: missing; accepted is {like}")
        return own
    if parent in (*below, name):
        raise ProfileError(f"{name}{_SUFFIX}: extends: {parent} extends this profile itself")
    if parent not in tables:
        raise ProfileError(f"{name}{_SUFFIX}: extends: there is no profile {parent}{suggestion(parent, tables)}")
    inherited = {
        key: value for key, value in extended(parent, tables, (*below, name)).items() if key not in _NOT_INHERITED
    }
    if own.get("plan"):  # its tokens have no price, whatever they cost by use
        inherited["models"] = {key: _without_prices(row) for key, row in inherited.get("models", {}).items()}
    return merged(inherited, own)


def _without_prices(row: _Table) -> _Table:
    return {key: value for key, value in row.items() if key != "prices"}


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
    _check_prices(table, place)
    check(Model, {key: value for key, value in table.items() if key != "ids"}, place, partial=True)


def _check_profile(table: Mapping[str, Any], file: str) -> None:
    check(Profile, table, f"{file}: ", partial=True)
    check(Thinking, table.get("thinking", {}), f"{file}: thinking", partial=True)
    for model_id in table.get("models", {}):
        if is_pattern(model_id) and model_id != model_id.lower():
            raise ProfileError(f'{file}: models."{model_id}": a pattern is in lower case')
    for model_id, keys in table.get("models", {}).items():
        if keys is not REMOVED:
            _check_prices(keys, f'{file}: models."{model_id}"')


def _check_prices(row: Mapping[str, Any], place: str) -> None:
    """Raise `ProfileError` for what is no price in the row of a model, and for a tier that no request gets to."""
    reached: dict[str, float] = {}
    """Currency -> tokens of input for which there is a price."""
    for index, price in enumerate(row.get("prices") or ()):
        at, currency = f"{place}.prices[{index}]", price["currency"]
        if not _CURRENCY.fullmatch(currency):
            raise ProfileError(f'{at}.currency: accepted is a code of three letters such as "CNY", not {currency!r}')
        for kind in _KINDS_OF_TOKENS:
            given = price.get(kind, 0)
            if not 0 <= given < _MOST:
                raise ProfileError(f"{at}.{kind}: accepted is what a million tokens cost, not {given!r}")
        limit = price.get("up_to", math.inf)
        if limit <= reached.get(currency, 0):
            raise ProfileError(f"{at}.up_to: prices go by length of the input, the shortest first; none would get here")
        reached[currency] = limit


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
