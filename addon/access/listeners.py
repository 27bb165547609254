"""Which of the proxy's listeners other machines can reach, and what clients and the lent key need then.

A listener is given here by its configured address, `""` where none was configured (`hooks.proxy_modes`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..config.command_names import command
from ..config.option import OptionError, option
from ..texts.terminal import say
from ..wire.host_names import LOOPBACK, is_loopback
from .callers import TrustSettings
from .client_tokens import TokenSettings
from .signed_clients import SignedSettings


@dataclass(frozen=True)
class ListenerSettings(TokenSettings, SignedSettings, TrustSettings):
    """Whether other machines may use this proxy without authentication."""

    allow_open: bool = option(
        False,
        "Allow a listen address beyond this machine without client tokens or proxyauth. The key is then not lent.",
    )


def open_addresses(hosts: Iterable[str], settings: TrustSettings) -> list[str]:
    """The listen addresses that other machines can reach. `hosts`: those configured, of each listener for any client.

    Where a client's address says nothing of who it is (`trust_loopback`), these are all: what connects from this
    machine may do so for others.
    """
    if not settings.trust_loopback:
        return list(dict.fromkeys(host or LOOPBACK for host in hosts))
    return [host for host in dict.fromkeys(hosts) if host and not is_loopback(host)]


def check(open_to: Sequence[str], settings: ListenerSettings, *, password: bool) -> None:
    """Refuse to be an open proxy by accident.

    `open_to`: `open_addresses`; `password`: mitmproxy's `proxyauth` is set. Raises `OptionError`.
    """
    if not open_to or _authenticates(settings, password) or settings.allow_open:
        return
    if not settings.trust_loopback:
        raise OptionError(
            say(
                "hunyuan_trust_loopback=false: clients on this machine count as those of other machines, so give them "
                "tokens (hunyuan_client_tokens_file, {command}), set proxyauth=user:password, or "
                "hunyuan_allow_open=true if all may use this proxy with their own keys",
                command=command("token"),
            )
        )
    raise OptionError(
        say(
            "listening on {addresses} would let other machines use this proxy: give its clients tokens "
            "(hunyuan_client_tokens_file, {command}), set proxyauth=user:password, or hunyuan_allow_open=true if "
            "all may use it with their own keys",
            addresses=", ".join(open_to),
            command=command("token"),
        )
    )


def why_key_is_not_lent(open_to: Sequence[str], settings: ListenerSettings, *, password: bool) -> str | None:
    """Why the key is never lent, not even on this machine; `None` if it is lent.

    Logged as a warning at the start if there is a key: a proxy that is open to other machines without authentication
    would share it, since a client on this machine may act for another machine.
    """
    if not open_to or _authenticates(settings, password):
        return None
    return say(
        "The API key is lent to nobody: this proxy is open to other machines ({addresses}) without a password or "
        "token. Give its clients tokens (hunyuan_client_tokens_file, {command}) or set proxyauth.",
        addresses=", ".join(open_to),
        command=command("token"),
    )


def requires_token(open_to: Sequence[str], settings: ListenerSettings) -> bool:
    """Whether clients must send a token or sign in before anything else, but for trusted ones of this machine.

    Without a token file it is false: then `proxyauth` alone decides.
    """
    return bool(open_to) and _knows_clients(settings) and not settings.allow_open


def _authenticates(settings: ListenerSettings, password: bool) -> bool:
    return password or _knows_clients(settings)


def _knows_clients(settings: ListenerSettings) -> bool:
    return settings.client_tokens_file is not None or settings.tencent_secrets_file is not None
