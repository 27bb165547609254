"""Checks at mitmproxy's start: option names and values, listen addresses. And what follows from these later."""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Callable, Iterable, MutableMapping
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from mitmproxy.options import Options
from mitmproxy.proxy.mode_servers import ServerInstance
from mitmproxy.proxy.mode_specs import ProxyMode, UpstreamMode, WireGuardMode

from ..config.options import OPTIONS, PREFIX, OptionError, Settings
from ..config.values import BaseUrl
from ..upstream.client import Transport

LOOPBACK = "127.0.0.1"

_KNOWN_HOSTS = 256
"""Hosts and clients whose `is_loopback` is cached: it is asked several times per request."""

_BY_NAME = {option.name: option for option in OPTIONS}


def settle_given(deferred: MutableMapping[str, object]) -> list[str]:
    """Check the `hunyuan_…` values in mitmproxy's `options.deferred`, and replace them by plain ones.

    Called before the options are declared. Without it a switch that is neither true nor false, an option without
    `=value` or one given twice would silently keep the addon from loading, and a misspelt name would be ignored
    (docs/facts/mitmproxy.md#option-types). Removes invalid ones and returns one line for each.
    """
    problems = []
    for name in [name for name in deferred if name.startswith(PREFIX)]:
        given = deferred.pop(name)
        if name not in _BY_NAME:
            near = difflib.get_close_matches(name, _BY_NAME, n=1)
            problems.append(f"{name}: there is no such option" + (f"; {near[0]} is meant?" if near else ""))
            continue
        try:
            deferred[name] = _settled(given, switch=_BY_NAME[name].type is bool)
        except ValueError as error:
            problems.append(f"{name}: {error}")
    return problems


def _settled(given: object, *, switch: bool) -> str | bool:
    # `--set` gives lists of strings, wrapped in a class of mitmproxy's; config.yaml gives plain values.
    texts = getattr(given, "val", None)
    value = given
    if isinstance(texts, list):
        if len(texts) > 1:
            raise ValueError("given more than once; several values are separated by commas")
        if not texts and not switch:
            raise ValueError("needs a value: --set name=value")
        value = texts[0] if texts else True
    if switch:
        word = str(value).lower()
        if word not in ("true", "false"):
            raise ValueError(f"{value} is not accepted; accepted are true and false")
        return word == "true"
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return "" if value is None else str(value)


def check(option: Callable[[str], object], settings: Settings) -> None:
    """Check mitmproxy's own options. `option`: name -> value, `None` if there is no such option.

    Raises `OptionError` for the first one that the addon can't work with.
    """
    if option("stream_large_bodies"):
        raise OptionError(
            f"stream_large_bodies={option('stream_large_bodies')}: must not be set, larger bodies would be sent "
            "past hunyuan-fix unrepaired"
        )
    open_to = open_addresses(modes_of(option), listen_host_of(option))
    if open_to and not _asks_who(option, settings) and not settings.allow_open:
        raise OptionError(
            f"listening on {', '.join(open_to)} would let other machines use this proxy: give its clients tokens "
            "(hunyuan_client_tokens_file, scripts/token), set proxyauth=user:password, or hunyuan_allow_open=true if "
            "all may use it with their own keys"
        )


def not_lending(option: Callable[[str], object], settings: Settings) -> str | None:
    """Why the key is never lent, not even on this machine; `None` if it is lent.

    Logged as a warning at the start if there is a key: a proxy that is open to other machines without authentication
    would share it, since a client on this machine may act for another machine.
    """
    open_to = open_addresses(modes_of(option), listen_host_of(option))
    if not open_to or _asks_who(option, settings):
        return None
    return (
        f"The API key is lent to nobody: this proxy is open to other machines ({', '.join(open_to)}) without a "
        "password or token. Give its clients tokens (hunyuan_client_tokens_file, scripts/token) or set proxyauth."
    )


def guarded(option: Callable[[str], object], settings: Settings) -> bool:
    """Whether clients on other machines must send a token or sign in before anything else.

    Without a token file it is false: then `proxyauth` alone decides.
    """
    open_to = open_addresses(modes_of(option), listen_host_of(option))
    return bool(open_to) and settings.client_tokens_file is not None and not settings.allow_open


def _asks_who(option: Callable[[str], object], settings: Settings) -> bool:
    return bool(option("proxyauth")) or settings.client_tokens_file is not None


def transport(option: Callable[[str], object], settings: Settings) -> Transport:
    """Proxy and TLS settings for the addon's own calls, from mitmproxy's (`option`: name -> value) and its options."""
    client_certificate = Path(str(option("client_certs") or "")).expanduser()
    upstream = next((mode for mode in modes_of(option) if isinstance(mode, UpstreamMode)), None)
    proxy = settings.outgoing_proxy
    if proxy is None and upstream is not None:
        user, colon, password = str(option("upstream_auth") or "").partition(":")
        login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if colon else ""
        address = BaseUrl("https" if upstream.scheme == "https" else "http", *upstream.address, path="")
        proxy = str(address).replace("://", f"://{login}", 1)
    return Transport(
        trusted_ca=_text(option("ssl_verify_upstream_trusted_ca")),
        trusted_folder=_text(option("ssl_verify_upstream_trusted_confdir")),
        insecure=bool(option("ssl_insecure")),
        proxy=proxy,
        # `client_certs` may be a folder with one certificate per host; the host isn't known here.
        client_certificate=str(client_certificate) if client_certificate.is_file() else None,
        oldest=_text(option("tls_version_server_min")),
        newest=_text(option("tls_version_server_max")),
        ciphers=_text(option("ciphers_server")),
    )


def _text(value: object) -> str | None:
    return str(value) if value else None


def open_addresses(modes: Iterable[ProxyMode], listen_host: str) -> list[str]:
    """The configured listen addresses that other machines can reach, from `listen_host` or a mode's `@host:port`."""
    asked = (_given_host(mode, listen_host) for mode in modes if _listens(mode))
    return [host for host in dict.fromkeys(asked) if host and not is_loopback(host)]


def exposed(mode: ProxyMode, listen_host: str, reached: str) -> bool:
    """Whether a connection came in by a non-loopback address (`reached`) though no listen address was configured.

    mitmproxy listens on all interfaces by default, and the addon loads after the listener is up
    (docs/facts/mitmproxy.md#listen-address): this covers the time until `loopback_modes` takes effect.
    """
    return _listens(mode) and not _given_host(mode, listen_host) and not is_loopback(reached)


def comes_from_outside(mode: ProxyMode, address: str) -> bool:
    """Whether a client at `address` is on another machine and came by a port that is open to any client."""
    return _listens(mode) and not is_loopback(address)


def quieten_dumper(options: Options, ours: str, *, everything: bool) -> None:
    """Hide flows from mitmdump's output, because the addon logs its own line for each exchange.

    With a `flow_detail` set by the user, flows that match `ours` (a filter) are shown. A filter set by the user stays.
    `everything`: mitmdump shows all flows as usual.
    """
    if "dumper_filter" not in options or options.dumper_filter not in (None, ours):
        return
    usual = options.default("flow_detail")
    if everything and options.dumper_filter == ours:
        options.dumper_filter, options.flow_detail = None, options.flow_detail or usual
    elif not everything and options.flow_detail:  # without details nothing is shown
        options.dumper_filter = ours
        if options.flow_detail == usual:
            options.flow_detail = 0


def loopback_modes(servers: Iterable[ServerInstance[ProxyMode]], listen_host: str) -> list[str] | None:
    """The mode specs of the running `servers`, bound to 127.0.0.1 where no address was configured.

    Ports stay, also the one chosen for port 0. `None` if each listener has a configured address.
    """
    specs, changed = [], False
    for server in servers:
        mode = server.mode
        addresses = server.listen_addrs
        if addresses and _listens(mode) and not _given_host(mode, listen_host):
            head = mode.full_spec.rpartition("@")[0] or mode.full_spec
            specs.append(f"{head}@{LOOPBACK}:{addresses[0][1]}")
            changed = True
        else:
            specs.append(mode.full_spec)
    return specs if changed else None


def modes_of(option: Callable[[str], object]) -> list[ProxyMode]:
    """mitmproxy's modes, parsed. Invalid ones are left out: mitmproxy reports them itself."""
    specs = option("mode")
    modes = []
    for spec in specs if isinstance(specs, list) else []:
        try:
            modes.append(ProxyMode.parse(spec))
        except ValueError:
            continue
    return modes


def listen_host_of(option: Callable[[str], object]) -> str:
    """mitmproxy's `listen_host`, `""` if none is configured."""
    return str(option("listen_host") or "")


@lru_cache(_KNOWN_HOSTS)
def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address, is a loopback one."""
    name = host.strip("[]").lower()
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _listens(mode: ProxyMode) -> bool:
    """Whether the mode opens a port to any client. WireGuard's port accepts only clients with its key."""
    return mode.default_port is not None and not isinstance(mode, WireGuardMode)


def _given_host(mode: ProxyMode, listen_host: str) -> str:
    return mode.listen_host(listen_host)
