"""Endpoints that can't be reached."""

from __future__ import annotations

from .entry import Entry

UPSTREAM_SHUT_DOWN = Entry(
    status=502,
    code="upstream_unreachable",
    message="The endpoint {where} could not be reached: its platform was shut down on {day}. The successor is "
    "{successor}, with keys of its own: start `hunyuan-fix run`, or set --set hunyuan_upstream={successor}.",
    when="no connection with the host of a platform that was shut down",
    advice="`hunyuan-fix run` sends to TokenHub; or `--set hunyuan_upstream=URL`, and a key for that",
    retry=False,
)
NAME_UNKNOWN = Entry(
    status=502,
    code="upstream_unreachable",
    message="The endpoint {where} could not be reached: its name has no address here. Check the base URL and the "
    "proxy's network and DNS, then try again.",
    when="the endpoint's name can't be resolved",
    advice="check the base URL, the proxy's network and its DNS",
    retry_after=5.0,
)
CONNECTION_REFUSED = Entry(
    status=502,
    code="upstream_unreachable",
    message="The endpoint {where} could not be reached: the connection was refused, no program listens there. Check "
    "host and port, then try again.",
    when="the endpoint refuses the connection",
    advice="check host and port, and whether the endpoint runs",
    retry_after=2.0,
)
CONNECT_TIMEOUT = Entry(
    status=504,
    code="upstream_timeout",
    message="The endpoint {where} could not be reached: it did not answer the connection in time. Check the proxy's "
    "network and firewall, then try again.",
    when="a connection with the endpoint takes longer than 30 seconds, or than the system allows",
    advice="check network and firewall",
    retry_after=5.0,
)
CONNECTION_FAILED = Entry(
    status=502,
    code="upstream_unreachable",
    message="The endpoint {where} could not be reached: no connection. Check the proxy's network, then try again; the "
    "proxy's log has the reason.",
    when="no connection with the endpoint for another reason, such as a proxy in between that refuses it",
    advice="check the network; the log has the reason",
    retry_after=5.0,
)
CERTIFICATE_NOT_TRUSTED = Entry(
    status=502,
    code="upstream_tls_failed",
    message="There is no secure connection with the endpoint {where}: its certificate can't be verified for this name. "
    "Check the base URL; behind a company's proxy start with --set ssl_verify_upstream_trusted_ca=FILE.",
    when="the endpoint's certificate is not trusted, or is for another name",
    advice="check the base URL; behind a company's proxy: `--set ssl_verify_upstream_trusted_ca=FILE`",
    retry=False,
)
HANDSHAKE_FAILED = Entry(
    status=502,
    code="upstream_tls_failed",
    message="There is no secure connection with the endpoint {where}: the TLS handshake failed. Check that the port "
    "speaks TLS (https), and what stands in between, then try again.",
    when="the TLS handshake with the endpoint failed, or ended early",
    advice="check scheme and port, and what stands between here and the endpoint",
    retry_after=5.0,
)
UPSTREAM_TIMEOUT = Entry(
    status=504,
    code="upstream_timeout",
    message="The endpoint {where} did not answer in time (hunyuan_upstream_timeout). Try again.",
    when="the endpoint was silent for `hunyuan_upstream_timeout` (`hunyuan_retry=all`)",
    advice="try again, or raise `hunyuan_upstream_timeout`",
)
UPSTREAM_UNREACHABLE = Entry(
    status=502,
    code="upstream_unreachable",
    message="The endpoint {where} could not be reached: {kind}. Check the proxy's network and the address "
    "(hunyuan_upstream), then try again.",
    when="no connection with the endpoint (`hunyuan_retry=all`)",
    advice="check network and `hunyuan_upstream`",
)
UPSTREAM_NOT_TRUSTED = Entry(
    status=502,
    code="upstream_tls_failed",
    message="There is no secure connection with the endpoint {where}: {kind}. Check the base URL; behind a company's "
    "proxy start with --set ssl_verify_upstream_trusted_ca=FILE.",
    when="the endpoint's certificate is not trusted (`hunyuan_retry=all`)",
    advice="behind a company's proxy: `--set ssl_verify_upstream_trusted_ca=FILE`",
    retry=False,
)
UPSTREAM_TLS_FAILED = Entry(
    status=502,
    code="upstream_tls_failed",
    message="There is no secure connection with the endpoint {where}: {kind}. Check that the port speaks TLS (https), "
    "and what stands in between, then try again.",
    when="the TLS handshake with the endpoint failed (`hunyuan_retry=all`)",
    advice="try again; check what stands between here and the endpoint",
)
BATCH_TIMEOUT = Entry(
    status=504,
    code="upstream_timeout",
    message="The endpoint did not answer in time for one part of this embeddings request, which is too large for one "
    "call.",
    when="one part of an embeddings request that is sent in parts had no answer in time",
    advice="try again, or send fewer texts",
)
BATCH_UNREACHABLE = Entry(
    status=502,
    code="upstream_unreachable",
    message="The endpoint could not be reached for one part of this embeddings request, which is too large for one "
    "call.",
    when="no connection for one part of an embeddings request that is sent in parts",
    advice="check network and `hunyuan_upstream`",
)
SEARCH_TIMEOUT = Entry(
    status=504,
    code="upstream_timeout",
    message="The endpoint did not answer in time for a request whose model searches the web through the proxy.",
    when="one call of a request with `web_search` had no answer in time (`hunyuan_search_command`)",
    advice="try again",
)
SEARCH_UNREACHABLE = Entry(
    status=502,
    code="upstream_unreachable",
    message="The endpoint could not be reached for a request whose model searches the web through the proxy.",
    when="no connection for one call of a request with `web_search` (`hunyuan_search_command`)",
    advice="check network and `hunyuan_upstream`",
)
