"""mitmproxy's proxy modes: where they listen, which machines reach them, and the move to loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mitmproxy.proxy.mode_servers import ServerInstance
from mitmproxy.proxy.mode_specs import ProxyMode, ReverseMode, UpstreamMode, WireGuardMode

from ..access.callers import TrustSettings, is_on_this_machine
from ..config.values import BaseUrl
from ..wire.host_names import LOOPBACK, is_loopback


def modes_of(option: Callable[[str], object]) -> list[ProxyMode]:
    """mitmproxy's modes, parsed. Invalid ones are left out: mitmproxy reports them itself.

    `option`, here and below: mitmproxy's options, name -> value.
    """
    specs = option("mode")
    modes = []
    for spec in specs if isinstance(specs, list) else []:
        try:
            modes.append(ProxyMode.parse(spec))
        except ValueError:
            continue
    return modes


def listen_hosts(option: Callable[[str], object]) -> list[str]:
    """The configured address of each listener for any client, from `listen_host` or the mode's `@host:port`."""
    default = str(option("listen_host") or "")
    return [mode.listen_host(default) for mode in modes_of(option) if accepts_any_client(mode)]


def upstream_proxy(option: Callable[[str], object]) -> BaseUrl | None:
    """The proxy of mitmproxy's upstream mode, the first where there are several."""
    mode = next((mode for mode in modes_of(option) if isinstance(mode, UpstreamMode)), None)
    if mode is None:
        return None
    return BaseUrl("https" if mode.scheme == "https" else "http", *mode.address, path="")


def accepts_any_client(mode: ProxyMode) -> bool:
    """Whether the mode opens a port to any client. WireGuard's port accepts only clients with its key."""
    return mode.default_port is not None and not isinstance(mode, WireGuardMode)


def makes_certificates(option: Callable[[str], object]) -> bool:
    """Whether clients trust this proxy's CA: any mode but those whose clients call a plain base URL."""
    return any(not isinstance(mode, ReverseMode) for mode in modes_of(option))


def is_exposed(mode: ProxyMode, listen_host: str, reached: str) -> bool:
    """Whether a connection came in by a non-loopback address (`reached`) though no listen address was configured.

    mitmproxy listens on all interfaces by default, and the addon loads after the listener is up
    (docs/facts/mitmproxy.md#listen-address): this covers the time until `loopback_modes` takes effect.
    """
    return accepts_any_client(mode) and not mode.listen_host(listen_host) and not is_loopback(reached)


def comes_from_outside(mode: ProxyMode, address: str, settings: TrustSettings) -> bool:
    """Whether a client at `address` doesn't count as one of this machine and came by a port open to any client."""
    return accepts_any_client(mode) and not is_on_this_machine(address, settings)


def loopback_modes(servers: Iterable[ServerInstance[ProxyMode]], listen_host: str) -> list[str] | None:
    """The mode specs of the running `servers`, bound to 127.0.0.1 where no address was configured.

    Ports stay, also the one chosen for port 0. `None` if each listener has a configured address.
    """
    specs, changed = [], False
    for server in servers:
        mode = server.mode
        addresses = server.listen_addrs
        if addresses and accepts_any_client(mode) and not mode.listen_host(listen_host):
            head = mode.full_spec.rpartition("@")[0] or mode.full_spec
            specs.append(f"{head}@{LOOPBACK}:{addresses[0][1]}")
            changed = True
        else:
            specs.append(mode.full_spec)
    return specs if changed else None
