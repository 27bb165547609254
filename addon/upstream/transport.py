"""How the addon's own calls leave: proxy and TLS, from mitmproxy's options and ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ..config import values as read
from ..config.option import option
from ..config.values import BaseUrl


@dataclass(frozen=True)
class Transport:
    """How calls leave: as mitmproxy's own options say for the proxy's connections.

    `trusted_ca`: PEM file, `trusted_folder`: folder of hashed CAs; they replace the public CAs
    (`ssl_verify_upstream_trusted_ca`, `ssl_verify_upstream_trusted_confdir`). `insecure`: certificates aren't verified
    (`ssl_insecure`); `proxy`: URL of an http(s) proxy in front (upstream mode, `hunyuan_outgoing_proxy`); SOCKS isn't
    supported. `client_certificate`: PEM file with certificate and key (`client_certs`, where that is a file); `oldest`,
    `newest`: versions of TLS as mitmproxy calls them (`tls_version_server_min`, `…_max`); `ciphers`: in OpenSSL's words
    (`ciphers_server`).
    """

    trusted_ca: str | None = None
    insecure: bool = False
    proxy: str | None = None
    trusted_folder: str | None = None
    client_certificate: str | None = None
    oldest: str | None = None
    newest: str | None = None
    ciphers: str | None = None
    offline: bool = False
    """Nothing leaves: a recording is replayed."""


@dataclass(frozen=True)
class TransportSettings:
    """The way out for the addon's own calls."""

    outgoing_proxy: str | None = option(
        "",
        "HTTP proxy for the addon's own calls (vision, batches of embeddings) and for requests that come by a "
        "reverse port. Default: mitmproxy's upstream proxy, if it has one.",
        read.optional(read.proxy),
    )
    """A URL."""


def transport(given: Callable[[str], object], settings: TransportSettings, upstream: BaseUrl | None) -> Transport:
    """Proxy and TLS settings for the addon's own calls.

    `given`: mitmproxy's options, name -> value; `upstream`: the proxy of its upstream mode, which
    `hunyuan_outgoing_proxy` replaces.
    """
    client_certificate = Path(str(given("client_certs") or "")).expanduser()
    proxy = settings.outgoing_proxy
    if proxy is None and upstream is not None:
        user, colon, password = str(given("upstream_auth") or "").partition(":")
        login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if colon else ""
        proxy = str(upstream).replace("://", f"://{login}", 1)
    return Transport(
        trusted_ca=_text(given("ssl_verify_upstream_trusted_ca")),
        trusted_folder=_text(given("ssl_verify_upstream_trusted_confdir")),
        insecure=bool(given("ssl_insecure")),
        proxy=proxy,
        # `client_certs` may be a folder with one certificate per host; the host isn't known here.
        client_certificate=str(client_certificate) if client_certificate.is_file() else None,
        oldest=_text(given("tls_version_server_min")),
        newest=_text(given("tls_version_server_max")),
        ciphers=_text(given("ciphers_server")),
    )


def _text(value: object) -> str | None:
    return str(value) if value else None
