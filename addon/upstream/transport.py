"""The transport of the addon's own calls, from mitmproxy's options and ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from ..config.options import Settings
from ..config.values import BaseUrl
from .connection import Transport


def transport(option: Callable[[str], object], settings: Settings, upstream: BaseUrl | None) -> Transport:
    """Proxy and TLS settings for the addon's own calls.

    `option`: mitmproxy's, name -> value; `upstream`: the proxy of its upstream mode, which `hunyuan_outgoing_proxy`
    replaces.
    """
    client_certificate = Path(str(option("client_certs") or "")).expanduser()
    proxy = settings.outgoing_proxy
    if proxy is None and upstream is not None:
        user, colon, password = str(option("upstream_auth") or "").partition(":")
        login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if colon else ""
        proxy = str(upstream).replace("://", f"://{login}", 1)
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
