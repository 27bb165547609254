"""Keys by provider: the file that says where the key of each provider stands, and the one that a destination gets.

    [providers.moonshot]                        # a vendor, or one profile of it: the plan's, say
    env = "MOONSHOT_API_KEY"

    [providers.tokenhub-plan]
    file = "/etc/hunyuan-fix/plan.key"

    [hosts."llm.example.com:8443/v1"]           # a host that no profile knows, or that has a key of its own
    env = "GATEWAY_KEY"

The file holds references alone: a key in it would be in every backup and every editor's history of it. A table may get
further pairs of fields later, for credentials that have several parts: `secret_id_env`, `secret_id_file`.

A provider's key reaches only what profiles and the domains in `vendors` know as that provider's; no option adds to that
(`hunyuan_hosts` says what a host speaks, not whose it is). Any other host gets a key only where the file names it. A
host of this machine is named with its port, since any program may listen on another one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .. import profiles, vendors
from ..config import values as read
from ..config.option import OptionError, option
from ..did_you_mean import suggestion
from ..texts.terminal import say
from ..vendors import Vendors
from ..wire import paths
from ..wire.host_names import canonical, is_loopback
from .secret_files import SecretFile, SecretFileError

logger = logging.getLogger("hunyuan_fix")

_OPTION = "hunyuan_keys_file"
_FIELDS = ("env", "file")
_KEY = re.compile(r"[\x21-\x7e]+")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,99}")
"""Capital letters alone, as such variables have: a key that was put here by mistake isn't taken for a name."""
_PLACE = re.compile(r"\((at [^()]*)\)$")
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?((?:/[\w.~!$&'()*+,;=:@%-]*)*)", re.ASCII)
_LONGEST_SHOWN = 80


@dataclass(frozen=True)
class ProviderKeySettings:
    """The file with the keys of providers."""

    keys_file: Path | None = option(
        "",
        "File that says for each provider where its key stands: an environment variable or a file. Its owner's only.",
        read.optional(read.path),
    )


def key_in(text: str) -> str:
    """The key that `text`, a variable's value or a file's, consists of. Raises `ValueError`, which doesn't quote it."""
    key = text.strip()
    if not _KEY.fullmatch(key):
        raise ValueError(say("needed is one key and nothing else, without blanks"))
    return key


@dataclass(frozen=True, slots=True)
class Address:
    """A table `[hosts."…"]`. `host` is canonical, `path` normal; port 0: any."""

    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A table of the file."""

    name: str
    """As it stands in the file: a provider's, or an address. No secret."""
    address: Address | None
    """`None` for a provider."""
    variable: str = ""
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """An entry with its key."""

    entry: Entry
    secret: str = field(default="", repr=False)
    """From a variable."""
    file: SecretFile[str] | None = field(default=None, repr=False)

    @property
    def key(self) -> str:
        """The key; `""` where the variable isn't set."""
        return self.file.content if self.file is not None else self.secret


@dataclass(frozen=True, slots=True)
class ProviderKey:
    """The key for a destination."""

    provider: str
    """The name of its table in the file."""
    key: str = field(repr=False)
    """`""`: the variable that the file names isn't set."""


class ProviderKeys:
    """The keys in the file; none without one."""

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        file: SecretFile[tuple[Entry, ...]] | None = None,
        named: tuple[Named, ...] = (),
    ) -> None:
        self._environment = environment
        self._file = file
        self._applied = file.content if file else ()
        """The entries whose keys are in use."""
        self._problem = ""
        """Why the entries that were read last can't be used. Already logged."""
        self._use(named)

    def _use(self, named: tuple[Named, ...]) -> None:
        self._named = named
        self._by_name = {one.entry.name: one for one in named if one.entry.address is None}
        self._by_host: dict[str, list[tuple[Address, Named]]] = {}
        for one in named:
            if (address := one.entry.address) is not None:
                self._by_host.setdefault(address.host, []).append((address, one))

    def configured(self, settings: ProviderKeySettings) -> ProviderKeys:
        """The keys of the file in `settings`; this object if the file is the same. Raises `OptionError`."""
        path = settings.keys_file
        if path == self.path:
            return self
        if path is None:
            return ProviderKeys(self._environment)
        try:
            file = SecretFile(path, lambda text: parse(text, path.parent))
            return ProviderKeys(self._environment, file, _with_keys(file, self._environment))
        except SecretFileError as error:
            raise OptionError(f"{_OPTION}: {error}") from None

    @property
    def path(self) -> Path | None:
        """The file."""
        return self._file.path if self._file else None

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._named)

    @property
    def unusable(self) -> list[Path]:
        """The files that can't be used as they are now: what they said before is in force."""
        if self._file is None:
            return []
        bad = [self._file.path] if self._file.is_unusable or self._problem else []
        return bad + [one.file.path for one in self._named if one.file is not None and one.file.is_unusable]

    @property
    def providers(self) -> dict[str, bool]:
        """The names of all tables, and whether there is a key for each."""
        return {one.entry.name: bool(one.key) for one in self._named}

    @property
    def secrets(self) -> Iterator[str]:
        """All keys, for what must not show them."""
        return (one.key for one in self._named if one.key)

    def key_for(self, host: str, port: int, path: str = "") -> ProviderKey | None:
        """The key for calls to `path` at `host`, the name that is connected to; `None` where the file names none.

        The most exact table counts: the one with the longest path, of two a host before a profile, at last the vendor.
        """
        if not self._named:
            return None
        host, path = canonical(host), paths.normal(path)
        if ".." in path.split("/"):
            return None  # the endpoint might read another path, of another product
        found: list[tuple[int, int, Named]] = []
        for address, one in self._by_host.get(host, ()):
            if address.port in (0, port) and f"{path}/".startswith(f"{address.path}/"):
                found.append((len(address.path), 2 if address.port else 1, one))
        if vendors.is_a_vendors(host):
            vendor = Vendors().of(host, path)
            product = profiles.at(host, path)
            if product is not None and product != vendor and product in self._by_name:
                found.append((_depth(host, product, path), 0, self._by_name[product]))
            if not found:
                found = [(0, 0, self._by_name[name]) for name in vendors.names_of(vendor) if name in self._by_name]
        if not found:
            return None
        most = max(found, key=lambda one: one[:2])[2]
        return ProviderKey(most.entry.name, most.key)

    def names_host(self, host: str) -> bool:
        """Whether a table is for `host` itself."""
        return canonical(host) in self._by_host

    async def refresh(self) -> None:
        """Take over a changed file, with the keys that it names, all or nothing; and changed files of single keys."""
        if self._file is None:
            return
        await self._file.refresh(announce=False)  # the keys that it names have to be read first
        if self._file.content is not self._applied:
            await self._take_over(self._file)
        for one in self._named:
            if one.file is not None:
                await one.file.refresh()

    async def _take_over(self, file: SecretFile[tuple[Entry, ...]]) -> None:
        """Use the entries of `file`. While a key of one can't be read, it is tried again at each look."""
        entries = file.content
        try:
            named = await asyncio.to_thread(_with_keys, file, self._environment)
        except SecretFileError as error:
            if str(error) != self._problem:
                self._problem = str(error)
                logger.error("%s", say("{problem}. The previous content stays in force.", problem=self._problem))
            return
        self._applied, self._problem = entries, ""
        self._use(named)
        file.announce()


def _depth(host: str, product: str, path: str) -> int:
    """The length of the path at `host` that makes a request to `path` one of the profile `product`."""
    return next(
        len(prefix)
        for prefix, name in profiles.by_host()[host]
        if name == product and f"{path}/".startswith(f"{prefix}/")
    )


def _with_keys(file: SecretFile[tuple[Entry, ...]], environment: Mapping[str, str]) -> tuple[Named, ...]:
    """The entries of `file` with their keys. What has none is said. Raises `SecretFileError`, which quotes no key."""
    named = []
    for entry in file.content:
        where = f"{file.path}: {entry.name}"
        if entry.file is not None:
            try:
                named.append(Named(entry, file=SecretFile(entry.file, key_in)))
            except SecretFileError as error:
                raise SecretFileError(f"{where}: {error}") from None
            continue
        given = environment.get(entry.variable, "").strip()
        if not given:
            # Not by its name: what stands there may be a key that was put there by mistake.
            said = say(
                "{provider} has no key: the environment variable that {file} names for it isn't set",
                provider=entry.name,
                file=file.path,
            )
            logger.warning("%s", said)
        try:
            named.append(Named(entry, key_in(given) if given else ""))
        except ValueError as error:
            raise SecretFileError(f"{where}: env: {error}") from None
    return tuple(named)


def parse(text: str, folder: Path) -> tuple[Entry, ...]:
    """The entries of a file in `folder`. Raises `ValueError`: which table, which field, what is accepted; no value."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # The place alone: the parser's message may quote the file.
        place = _PLACE.search(str(error))
        raise ValueError(say("not valid TOML ({place})", place=place[1]) if place else say("not valid TOML")) from None
    except (RecursionError, ValueError):
        raise ValueError(say("not a file of keys: it is nested too deep, or has a number without end")) from None
    accepted = say('accepted are tables such as [providers.moonshot] and [hosts."llm.example.com"]')
    found = {kind: tables.pop(kind, {}) for kind in ("providers", "hosts")}
    if tables:
        raise ValueError(f"{_shown(next(iter(tables)))}: {accepted}")
    if not all(isinstance(table, dict) for table in found.values()):
        raise ValueError(accepted)
    providers = [_entry(_provider(name), None, table, folder) for name, table in found["providers"].items()]
    hosts = [_entry(name, _address(name), table, folder) for name, table in found["hosts"].items()]
    addresses: set[Address | None] = set()
    for entry in hosts:
        if entry.address in addresses:
            raise ValueError(f"{entry.name}: {say('stands there twice')}")
        addresses.add(entry.address)
    return (*providers, *hosts)


def _provider(name: str) -> str:
    known = vendors.providers()
    if name in known:
        return name
    if (inside := vendors.provider_below(name)) is not None:
        raise ValueError(f"{name}: {say('is the domain of {provider}: use that name', provider=inside)}")
    unknown = say(
        "there is no such provider. Accepted are {known}; any other host has a table [hosts.…] of its own",
        known=", ".join(known),
    )
    raise ValueError(f"{_shown(name)}: {unknown}{suggestion(name, known)}")


def _address(text: str) -> Address:
    match = _ADDRESS.fullmatch(text)
    port = int(match[2] or 0) if match else -1
    if match is None or not 0 <= port <= 65535 or (match[2] and not port):
        accepted = say(
            'accepted is a host in quotes, with a port or a path if need be: [hosts."llm.example.com:8443/v1"]'
        )
        raise ValueError(f"{_shown(text)}: {accepted}")
    host = canonical(match[1])
    if is_loopback(host) and not port:
        needed = say("a host of this machine is named with its port: any program may listen on another one")
        raise ValueError(f"{_shown(text)}: {needed}")
    return Address(host, port, paths.normal(match[3]))


def _entry(name: str, address: Address | None, table: object, folder: Path) -> Entry:
    where = _shown(name)
    accepted = say('accepted is env = "NAME" or file = "/path": a key itself doesn\'t belong here')
    if not isinstance(table, dict):
        raise ValueError(f"{where}: {accepted}")
    for key in table:
        if key not in _FIELDS:
            if isinstance(table[key], dict):
                raise ValueError(f"{where}: {say('a host stands in quotes, since it has dots')}")
            unknown = say("there is no field {name}", name=_shown(key))
            raise ValueError(f"{where}: {unknown}; {accepted}")
    if len(table) != 1:
        raise ValueError(f"{where}: {accepted}")
    ((kind, value),) = table.items()
    # No value is quoted: it may be the key itself.
    if kind == "env":
        if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
            needed = say("needed is the name of an environment variable, in capital letters")
            raise ValueError(f"{where}: env: {needed}")
        return Entry(name, address, variable=value)
    if not isinstance(value, str) or not (value.startswith(("~", "./", "../")) or os.path.isabs(value)):
        needed = say("needed is the path of a file, which begins with /, ~ or ./")
        raise ValueError(f"{where}: file: {needed}")
    try:
        return Entry(name, address, file=folder / Path(value).expanduser())
    except RuntimeError:  # `~user` of an unknown user
        raise ValueError(f"{where}: file: {say('accepted is the path of a file')}") from None


def _shown(name: str) -> str:
    """A name in the file as a message may quote it: not long, no control characters, and no key by mistake."""
    return "…" if len(name) > _LONGEST_SHOWN or not name.isprintable() or re.search(r"\b(?:sk|hf)-", name) else name
