from __future__ import annotations

from pathlib import Path

from hunyuan_fix import options
from hunyuan_fix.config.values import BaseUrl
from hunyuan_fix.upstream.client import Transport
from hunyuan_fix.upstream.transport import transport as build

CORPORATE = BaseUrl("http", "corp", 3128, "")


def transport(
    settings: dict[str, object] | None = None, *, upstream: BaseUrl | None = None, **values: object
) -> Transport:
    return build(values.get, options.parse(settings or {}), upstream)


def test_the_addons_own_calls_leave_as_mitmproxys_do():
    assert transport() == Transport()
    assert transport(ssl_insecure=True, ssl_verify_upstream_trusted_ca="/ca.pem") == Transport("/ca.pem", True)
    assert transport(upstream=CORPORATE).proxy == "http://corp:3128"
    signed_in = transport(upstream=CORPORATE, upstream_auth="me:p@ss")
    assert signed_in.proxy == "http://me:p%40ss@corp:3128"


def test_and_with_its_other_tls_options(tmp_path: Path):
    certificate = tmp_path / "client.pem"
    certificate.touch()
    made = transport(
        ssl_verify_upstream_trusted_confdir="/cas",
        client_certs=str(certificate),
        tls_version_server_min="TLS1_3",
        tls_version_server_max="UNBOUNDED",
        ciphers_server="HIGH",
    )
    assert made == Transport(
        trusted_folder="/cas", client_certificate=str(certificate), oldest="TLS1_3", newest="UNBOUNDED", ciphers="HIGH"
    )
    assert transport(client_certs=str(tmp_path)) == Transport(), "a folder has one for each host"


def test_their_own_proxy_wins():
    settings: dict[str, object] = {"hunyuan_outgoing_proxy": "http://other:1"}
    assert transport(settings, upstream=CORPORATE).proxy == "http://other:1"
    assert transport(settings).proxy == "http://other:1"
