"""What is checked and put right when mitmproxy starts: option names and values, listen addresses."""

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

from addon.hooks.mitmproxy_internals.options import given_on_command_line
from addon.option_values import BaseUrl
from addon.options import OPTIONS, PREFIX, OptionError, Settings
from addon.outgoing import Transport

LOOPBACK = "127.0.0.1"

_KNOWN_HOSTS = 256
"""Hosts and clients of which it is remembered whether they are this machine: asked several times a request."""

_BY_NAME = {option.name: option for option in OPTIONS}


def settle_given(deferred: MutableMapping[str, object]) -> list[str]:
    """Check the `hunyuan_…` values that wait in mitmproxy's `options.deferred`, and turn them into plain ones.

    Called before the options are declared. Without it a switch that is neither true nor false, an option
    without `=value` or one given twice would keep the addon from loading without a word, and a misspelt name
    would be ignored (facts/mitmproxy.md section 0, row 5). Returns one line for each problem; what is wrong
    is taken out.
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
    # From `--set` come lists of strings; from config.yaml plain values.
    texts = given_on_command_line(given)
    value = given
    if texts is not None:
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
    """Hold mitmproxy's own options against what this addon needs. `option`: name -> value, `None` if not there.

    Raises `OptionError` for the first that doesn't fit.
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
            "everybody shall use it with a key of their own"
        )


def not_lending(option: Callable[[str], object], settings: Settings) -> str | None:
    """Why the key is lent to nobody, not even on this machine; `None` where it is lent.

    Worth a warning at the start, if there is a key: whoever shares a proxy without asking who comes has not thought of
    the key, and one of the clients on this machine may be another's way in.
    """
    open_to = open_addresses(modes_of(option), listen_host_of(option))
    if not open_to or _asks_who(option, settings):
        return None
    return (
        f"The API key is lent to nobody: this proxy is open to other machines ({', '.join(open_to)}) and asks nobody "
        "who they are. Give its clients tokens (hunyuan_client_tokens_file, scripts/token) or set proxyauth."
    )


def guarded(option: Callable[[str], object], settings: Settings) -> bool:
    """Whether clients beyond this machine may do nothing before they have shown a token or signed in.

    Where there are no tokens, `proxyauth` is the guard, as ever.
    """
    open_to = open_addresses(modes_of(option), listen_host_of(option))
    return bool(open_to) and settings.client_tokens_file is not None and not settings.allow_open


def _asks_who(option: Callable[[str], object], settings: Settings) -> bool:
    return bool(option("proxyauth")) or settings.client_tokens_file is not None


def transport(option: Callable[[str], object], settings: Settings) -> Transport:
    """How the addon's own calls leave, by mitmproxy's options (`option`: name -> value) and this addon's."""
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
        # A folder has one for each host, which isn't known here.
        client_certificate=str(client_certificate) if client_certificate.is_file() else None,
        oldest=_text(option("tls_version_server_min")),
        newest=_text(option("tls_version_server_max")),
        ciphers=_text(option("ciphers_server")),
    )


def _text(value: object) -> str | None:
    return str(value) if value else None


def open_addresses(modes: Iterable[ProxyMode], listen_host: str) -> list[str]:
    """The listen addresses beyond this machine that were asked for, by `listen_host` or a mode's `@host:port`."""
    asked = (_given_host(mode, listen_host) for mode in modes if _listens(mode))
    return [host for host in dict.fromkeys(asked) if host and not is_loopback(host)]


def exposed(mode: ProxyMode, listen_host: str, reached: str) -> bool:
    """Whether a connection came in by the address `reached`, beyond this machine, though none was asked for.

    mitmproxy's default is all interfaces and the addon loads after the listener is up: this closes the moment
    until `loopback_modes` takes effect.
    """
    return _listens(mode) and not _given_host(mode, listen_host) and not is_loopback(reached)


def comes_from_outside(mode: ProxyMode, address: str) -> bool:
    """Whether a client at `address` comes from beyond this machine, by a port that anybody may speak to."""
    return _listens(mode) and not is_loopback(address)


def quieten_dumper(options: Options, ours: str, *, everything: bool) -> None:
    """Let mitmdump show no flows but `ours` (a filter), and those only if its user asked: the addon's line says it.

    A filter or a detail of the user's own stays; with `everything` mitmdump shows what it always does.
    """
    if "dumper_filter" not in options or options.dumper_filter not in (None, ours):
        return
    usual = options.default("flow_detail")
    if everything and options.dumper_filter == ours:
        options.dumper_filter, options.flow_detail = None, options.flow_detail or usual
    elif not everything and options.flow_detail:  # without details there is nothing to filter, or all is done
        options.dumper_filter = ours
        if options.flow_detail == usual:
            options.flow_detail = 0


def loopback_modes(servers: Iterable[ServerInstance[ProxyMode]], listen_host: str) -> list[str] | None:
    """The mode specs of the running `servers`, bound to 127.0.0.1 where no address was given.

    Ports are kept, also the one that port 0 chose. `None` if every listener has a given address.
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
    """mitmproxy's modes, parsed; about one that can't be parsed mitmproxy itself complains."""
    specs = option("mode")
    modes = []
    for spec in specs if isinstance(specs, list) else []:
        try:
            modes.append(ProxyMode.parse(spec))
        except ValueError:
            continue
    return modes


def listen_host_of(option: Callable[[str], object]) -> str:
    """mitmproxy's `listen_host`, `""` where none is given."""
    return str(option("listen_host") or "")


@lru_cache(_KNOWN_HOSTS)
def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address, is this machine and only this machine."""
    name = host.strip("[]").lower()
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _listens(mode: ProxyMode) -> bool:
    """Whether the mode opens a port that anybody may speak to; WireGuard's takes only who has its key."""
    return mode.default_port is not None and not isinstance(mode, WireGuardMode)


def _given_host(mode: ProxyMode, listen_host: str) -> str:
    return mode.listen_host(listen_host)
