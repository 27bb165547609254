"""How the addon's own calls leave."""

from __future__ import annotations

from dataclasses import dataclass


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
