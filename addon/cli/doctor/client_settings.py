"""What clients' own settings files say of the proxy and of endpoints. Nothing is written here, and no key is shown."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ...config import operating_system
from ...texts.sentence import Sentence
from ..addresses import HOST
from . import authority, base_urls, client_files, keys_given
from .base_urls import Api, Ports
from .client_files import Broken, ClientFile, Keys
from .file_edit import edit
from .proxy_address import ProxyAddress, given_proxies
from .situation import Finding, Result, Situation
from .variables import goes_past, rerouted, why_wrong

_CODEX_OWN = frozenset({"openai", "ollama", "lmstudio", "oss", "amazon-bedrock"})
"""Providers of Codex's that need no table."""
_CODEX_KEYS = frozenset({"experimental_bearer_token", "auth", "http_headers", "env_http_headers"})
"""What a provider of Codex's may send instead of the key that `env_key` names."""
_KINDS: Mapping[str, Api] = {
    "@ai-sdk/openai-compatible": "chat",
    "openai": "chat",
    "openai_legacy": "chat",
    "kimi": "chat",
    "anthropic": "anthropic",
    "chat": "chat",
    "responses": "responses",
}
"""What a file calls the kind of a provider -> what is spoken there. AI SDK's other packages have paths of their own."""
_ROOTS = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE")
_KEYS = ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "OPENAI_API_KEY")
"""Variables with keys: their values are never shown."""


def client_settings(situation: Situation) -> Iterator[Finding]:
    """What is wrong in the settings files of the clients that are known."""
    for client in client_files.clients().values():
        for path in client.paths(situation.environment, situation.folder):
            try:
                file = client_files.read(client, path)
            except Broken as error:
                found = Sentence(
                    "{title}: {place} is no valid {syntax}",
                    title=client.title,
                    place=f"{path}:{error.line}",
                    syntax=client.syntax.upper(),
                )
                yield Finding(
                    "settings/broken",
                    "problem",
                    found,
                    Sentence("mend that line: the client ignores the file, or doesn't start"),
                )
            except OSError as error:
                found = Sentence(
                    "{title}: {file} can't be read: {why}", title=client.title, file=path, why=error.strerror
                )
                yield Finding("settings/unreadable", "warning", found)
            else:
                yield from _of_file(file, situation)


def _of_file(file: ClientFile, situation: Situation) -> Iterator[Finding]:
    findings = [
        *_base_urls(file, situation),
        *_proxies(file, situation),
        *_variables(file, situation),
        *_keys(file, situation),
        *(_codex(file, situation) if file.client.name == "codex" else ()),
        *_open(file, situation),
    ]
    yield from findings
    if not findings and _uses_proxy(file, situation):
        found = Sentence("{title}: {file} leads to hunyuan-fix", title=file.client.title, file=file.path)
        yield Finding("settings/ok", "ok", found)


def _uses_proxy(file: ClientFile, situation: Situation) -> bool:
    ports = {situation.port, situation.reverse_port}
    given = [url for place in file.client.base_urls for _, url in file.strings(place)]
    given += [file.variables().get("HTTPS_PROXY", "")]
    addresses = [ProxyAddress.of(url) for url in given if url]
    return any(address is not None and address.local and address.port in ports for address in addresses)


# Base URLs


def _base_urls(file: ClientFile, situation: Situation) -> Iterator[Finding]:
    ports = Ports(situation.port, situation.reverse_port)
    behind_proxy = rerouted(situation) or _proxied(file, situation)
    title = file.client.title
    for pattern, api in file.client.base_urls.items():
        for keys, url in file.strings(pattern):
            spoken = _spoken(file, keys, api)
            name, shown, place, ours = _name(keys), base_urls.shown(url), _place(file, keys), ports.base_url(spoken)
            judged = base_urls.mistake(url, spoken, ports)
            if judged is not None and not (judged.id in base_urls.REROUTED and behind_proxy):
                found = Sentence(
                    "{title}: {name} is {url}: {why} ({place})",
                    title=title,
                    name=name,
                    url=shown,
                    why=judged.found,
                    place=place,
                )
                better = ours if _same_endpoint(judged.better, situation) else judged.better
                yield _to_set(Finding(f"settings/{judged.id}", "problem", found), file, keys, better)
            elif judged is None and not behind_proxy and goes_past(url, situation):
                found = Sentence(
                    "{title}: {name} is {url}: such calls go past hunyuan-fix ({place})",
                    title=title,
                    name=name,
                    url=shown,
                    place=place,
                )
                result: Result = "warning" if situation.runs else "info"
                past = Finding("settings/past", result, found, Sentence("set it to {value}", value=ours))
                # Only where the key fits: the proxy may send to another product, which has keys of its own.
                yield _to_set(past, file, keys, ours if _same_endpoint(url, situation) else "")
            elif _other_port(url, situation):
                found = Sentence(
                    "{title}: {name} is {url}, and nothing listens there ({place})",
                    title=title,
                    name=name,
                    url=shown,
                    place=place,
                )
                yield _to_set(Finding("settings/nothing-there", "problem", found), file, keys, ours)


def _same_endpoint(url: str, situation: Situation) -> bool:
    """Whether the running proxy sends calls to the host of `url`: then its reverse port takes the same key."""
    upstream = situation.route.upstream if situation.runs and situation.route is not None else ""
    return bool(upstream and url) and base_urls.parted(url).hostname == base_urls.parted(upstream).hostname


def _to_set(finding: Finding, file: ClientFile, keys: Keys, value: str) -> Finding:
    """`finding` with its remedy, another value at `keys`; unchanged where `value` is `""`."""
    if not value:
        return finding
    return replace(finding, advice=Sentence("set it to {value}", value=value), fix=edit(file, keys, value))


def _other_port(url: str, situation: Situation) -> bool:
    """Whether `url` leads to a port of this machine where nothing listens, while the proxy runs on another."""
    address = ProxyAddress.of(url.strip())
    if not situation.runs or address is None or not address.local or address.port is None:
        return False
    return address.port not in (situation.port, situation.reverse_port) and situation.is_free(address.port)


def _spoken(file: ClientFile, keys: Keys, api: Api) -> Api:
    """What the client speaks at this base URL: in some files the provider says so itself."""
    says = {"kimi-code": "providers/{}/type", "opencode": "provider/{}/npm", "codex": "model_providers/{}/wire_api"}
    if file.client.name not in says:
        return api
    kind = next((text for _, text in file.strings(says[file.client.name].format(keys[1]))), "")
    return _KINDS.get(kind, api)


def _name(keys: Keys) -> str:
    return ".".join(map(str, keys))


def _place(file: ClientFile, keys: Keys) -> str:
    """The file, and the line in it, as editors and compilers write it."""
    line = file.line_of(keys)
    return str(file.path) if line is None else f"{file.path}:{line}"


# Proxies and variables


def _proxied(file: ClientFile, situation: Situation) -> bool:
    """Whether the client goes by the proxy because its file says so."""
    return any(situation.leads_here(address) for address in given_proxies(file.variables()).values())


def _proxies(file: ClientFile, situation: Situation) -> Iterator[Finding]:
    patterns = [*file.client.proxies]
    if file.client.variables:
        patterns += [f"{file.client.variables}/{name}" for name in ("HTTPS_PROXY", "https_proxy")]
    for pattern in patterns if situation.runs else ():
        for keys, text in file.strings(pattern):
            address = ProxyAddress.of(text)
            if situation.leads_here(address) or (address is not None and not address.local):
                continue
            where = f"{file.client.title}: {_name(keys)} ({_place(file, keys)})"
            found = why_wrong(where, address, situation.port)
            yield _to_set(Finding("settings/proxy", "problem", found), file, keys, f"http://{HOST}:{situation.port}")


def _variables(file: ClientFile, situation: Situation) -> Iterator[Finding]:
    given, title, proxied = file.variables(), file.client.title, _proxied(file, situation)
    # 1. A file of roots that isn't there, or doesn't hold the CA that the client needs.
    for name in _ROOTS:
        roots = Path(given.get(name, "")).expanduser()
        if name in given and (proxied or not roots.is_file()):
            keys = (file.client.variables, name)
            why = authority.why_distrusted(f"{title}: {_name(keys)} ({_place(file, keys)})", roots, situation.ca)
            if why is not None:
                yield _to_set(Finding("settings/roots", "problem", why), file, keys, str(situation.ca))
    if proxied and not any(given.get(name) or situation.environment.get(name) for name in _ROOTS):
        found = Sentence(
            "{title}: {file} sets HTTPS_PROXY, but no NODE_EXTRA_CA_CERTS: the client won't trust the proxy",
            title=title,
            file=file.path,
        )
        line = f'"NODE_EXTRA_CA_CERTS": {json.dumps(str(situation.ca))}'
        advice = Sentence("add to its table {table}: {line}", table=file.client.variables, line=line)
        yield Finding("settings/no-roots", "problem", found, advice)
    # 2. A value that is stronger than one of this shell's, which leads to the proxy.
    for name in ("ANTHROPIC_BASE_URL", "OPENAI_BASE_URL"):
        here, there = situation.environment.get(name, ""), given.get(name, "")
        if there and _leads_to_reverse_port(here, situation) and not _leads_to_reverse_port(there, situation):
            keys = (file.client.variables, name)
            found = Sentence(
                "{title}: {name} ({place}) is stronger than that of this shell, which leads to hunyuan-fix",
                title=title,
                name=_name(keys),
                place=_place(file, keys),
            )
            yield _to_set(Finding("settings/stronger", "problem", found), file, keys, here)


def _keys(file: ClientFile, situation: Situation) -> Iterator[Finding]:
    """A key of another product than the base URL beside it is for, or than the one that the proxy sends calls to."""
    given, table = file.variables(), file.client.variables
    for base, names in (("ANTHROPIC_BASE_URL", _KEYS[:2]), ("OPENAI_BASE_URL", _KEYS[2:])):
        url = given.get(base, "")
        url = str(situation.endpoint_url) if _leads_to_reverse_port(url, situation) else url
        for name in names:
            shape = keys_given.of_another_product(given.get(name, ""), url) if url else None
            if shape is not None:
                found = Sentence(
                    "{title}: {name} ({place}) begins with {begins}: it is a key of {product}, which {url} does not "
                    "take",
                    title=file.client.title,
                    name=_name((table, name)),
                    place=_place(file, (table, name)),
                    begins=shape.begins,
                    product=Sentence(shape.product),
                    url=base_urls.shown(url),
                )
                yield Finding("settings/other-key", "warning", found, keys_given.good_at(shape))


def _leads_to_reverse_port(url: str, situation: Situation) -> bool:
    address = ProxyAddress.of(url)
    return address is not None and address.local and address.port == situation.reverse_port


# Codex


def _codex(file: ClientFile, situation: Situation) -> Iterator[Finding]:
    title, path, chosen = file.client.title, file.path, file.data.get("model_provider")
    tables = file.data.get("model_providers")
    tables = tables if isinstance(tables, dict) else {}
    providers = {name: table for name, table in tables.items() if isinstance(table, dict)}
    # 1. The provider that is chosen.
    if isinstance(chosen, str) and chosen not in {*providers, *_CODEX_OWN}:
        found = Sentence(
            "{title}: model_provider is {name}, and there is no table model_providers.{name} ({place})",
            title=title,
            name=chosen,
            place=_place(file, ("model_provider",)),
        )
        only = next(iter(providers)) if len(providers) == 1 else ""
        yield _to_set(Finding("settings/no-provider", "problem", found), file, ("model_provider",), only)
    ours = [name for name, table in providers.items() if _leads_to_reverse_port(str(table.get("base_url")), situation)]
    if ours and chosen is None:
        found = Sentence(
            "{title}: {file} has a provider for hunyuan-fix, but no model_provider that chooses it",
            title=title,
            file=path,
        )
        advice = Sentence("add above the first table: {line}", line=f"model_provider = {json.dumps(ours[0])}")
        yield Finding("settings/not-chosen", "warning", found, advice)
    # 2. What Codex refuses at its start.
    for name, table in providers.items():
        if table.get("wire_api") == "chat":
            keys = ("model_providers", name, "wire_api")
            found = Sentence(
                "{title}: {name} is chat, which Codex refuses since 0.122 ({place})",
                title=title,
                name=_name(keys),
                place=_place(file, keys),
            )
            yield _to_set(Finding("settings/wire-api", "problem", found), file, keys, "responses")
    # 3. The key of the provider that is chosen.
    if not isinstance(chosen, str) or chosen not in providers:
        return
    provider = providers[chosen]
    variable = provider.get("env_key")
    if isinstance(variable, str) and variable:
        if not situation.environment.get(variable):
            found = Sentence(
                "{title}: {name} names {variable}, which isn't set here ({place})",
                title=title,
                name=_name(("model_providers", chosen, "env_key")),
                variable=variable,
                place=_place(file, ("model_providers", chosen, "env_key")),
            )
            advice = Sentence("set {variable}, then try again", variable=variable)
            yield Finding("settings/no-key", "warning", found, advice)
    elif not _CODEX_KEYS.intersection(provider):
        found = Sentence(
            "{title}: provider {name} in {file} has no env_key: it sends no key of its own",
            title=title,
            name=chosen,
            file=path,
        )
        if provider.get("requires_openai_auth") and (path.parent / "auth.json").is_file():
            found = Sentence(
                "{title}: provider {name} in {file} sends the login in auth.json, which is OpenAI's",
                title=title,
                name=chosen,
                file=path,
            )
        advice = Sentence("add to its table {table}: {line}", table=chosen, line='env_key = "HUNYUAN_API_KEY"')
        yield Finding("settings/no-key", "warning", found, advice)


# Keys


def _open(file: ClientFile, situation: Situation) -> Iterator[Finding]:
    """A file with a key in it that other users of this machine can read."""
    if operating_system.is_windows() or not _has_key(file.data, file.variables()):
        return
    mode = file.path.stat().st_mode
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        found = Sentence(
            "{title}: others can read the key in {file} (mode {mode})",
            title=file.client.title,
            file=file.path,
            mode=f"{stat.S_IMODE(mode):04o}",
        )
        advice = f"chmod 600 {situation.quoted(file.path)}"
        yield Finding("settings/open", "info", found, advice, authority.closed_to_others(file.path.resolve()))


def _has_key(data: object, variables: Mapping[str, str]) -> bool:
    if any(variables.get(name) for name in _KEYS):
        return True
    if isinstance(data, dict):
        named = ("apikey", "api_key", "experimental_bearer_token")
        return any(
            (str(key).lower() in named and isinstance(value, str) and value and "{" not in value) or _has_key(value, {})
            for key, value in data.items()
        )
    return isinstance(data, list) and any(_has_key(value, {}) for value in data)
