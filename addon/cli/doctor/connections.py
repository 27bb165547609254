"""The proxy's ports, its TLS, the endpoint behind it, and the key."""

from __future__ import annotations

import html
import re
import ssl
from collections.abc import Mapping

import certifi
import httpx

from ... import profiles
from ...access import keys
from ...config import operating_system
from ...wire import json_body, paths, proxy_errors
from ...wire.host_names import canonical
from ..addresses import HOST
from .listeners import Listener, decrypts, from_mitmproxy
from .situation import Finding, Result, Situation

ANSWER_TIMEOUT = 30.0
"""Seconds for each step of a call to the endpoint."""

_UNRESOLVED = re.compile(
    r"getaddrinfo|Name or service|nodename nor|name resolution|No address associated|resolve|has no address"
)
_REASON_LENGTH = 300


def proxy_port(situation: Situation) -> Finding:
    """The proxy itself."""
    where, run = f"{HOST}:{situation.port}", situation.run_command()
    match situation.proxy:
        case Listener.HUNYUAN_FIX:
            return Finding("proxy", "ok", f"answers on {where}")
        case Listener.NOTHING:
            return Finding("proxy", "problem", f"isn't running; port {situation.port} is free", run)
        case Listener.LOCKED:
            advice = f"HTTPS_PROXY=http://USER:PASSWORD@{where}"
            return Finding("proxy", "problem", f"what listens on {where} asks for user and password", advice)
        case Listener.MITMPROXY:
            return Finding("proxy", "problem", f"on {where} runs mitmproxy without hunyuan-fix", f"stop it, then {run}")
        case Listener.OTHER:
            return Finding("proxy", "problem", f"something else listens on {where}", _another_port("--port", situation))


def reverse_port(situation: Situation) -> Finding:
    """The reverse proxy, for clients that know only a base URL."""
    where = f"{HOST}:{situation.reverse_port}"
    match situation.reverse:
        case Listener.HUNYUAN_FIX:
            return Finding("reverse proxy", "ok", f"answers on {where}")
        case Listener.LOCKED:
            found = f"on {where} asks for user and password: with them a client can't send its key"
            return Finding("reverse proxy", "warning", found, "use HTTPS_PROXY, or start the proxy without proxyauth")
        case Listener.NOTHING if situation.proxy is Listener.HUNYUAN_FIX:
            found = f"nothing listens on {where}: there is no base URL for clients that know no proxy"
            return Finding("reverse proxy", "warning", found, f"stop the proxy, then {situation.run_command()}")
        case Listener.NOTHING:
            return Finding("reverse proxy", "ok", f"port {situation.reverse_port} is free")
        case _:
            found = f"something else listens on {where}"
            return Finding("reverse proxy", "problem", found, _another_port("--reverse-port", situation))


def _another_port(flag: str, situation: Situation) -> str:
    port = situation.port if flag == "--port" else situation.reverse_port
    same = f" (and {situation.prefix}env the same)" if flag == "--port" else ""
    look, run = operating_system.listener_command(port), f"{situation.prefix}run {flag} PORT{same}"
    return f"{look} shows which: stop it, or use another port: {run}"


def decryption(situation: Situation) -> Finding | None:
    """Whether the proxy decrypts connections to the endpoint, with the CA that clients are told to trust."""
    host = situation.upstream.host
    if situation.proxy is not Listener.HUNYUAN_FIX or situation.upstream.scheme != "https":
        return None
    models = f"{situation.upstream}/models"
    try:
        trusted = ssl.create_default_context(cafile=str(situation.ca))
    except OSError:
        return None
    if decrypts(situation.proxy_url, models, trusted):
        return Finding("decryption", "ok", f"decrypts connections to {host} with this CA")
    untrusting = ssl.create_default_context()
    untrusting.check_hostname, untrusting.verify_mode = False, ssl.CERT_NONE
    if decrypts(situation.proxy_url, models, untrusting):
        found = f"the running proxy's certificates are from another CA than {situation.ca}"
        return Finding("decryption", "problem", found, "restart the proxy, or give --confdir the folder that it uses")
    advice = f"{situation.run_command()} --set hunyuan_hosts={host}"
    return Finding("decryption", "problem", f"connections to {host} pass the proxy unread", advice)


def endpoint(situation: Situation) -> Finding:
    """Whether the endpoint answers a request without a key through the proxy, with any status."""
    if situation.proxy is not Listener.HUNYUAN_FIX:
        return Finding("endpoint", "warning", "not tried: the proxy must answer first")
    try:
        with _client(situation, _all_roots(situation)) as client:
            answer = client.get(f"{situation.upstream}/models")
    except (httpx.HTTPError, OSError) as error:
        return _unreached(situation, _kind(error))
    if why := _unanswered(answer):
        return _unreached(situation, why)
    return Finding("endpoint", "ok", f"{situation.upstream.host} answers through the proxy (HTTP {answer.status_code})")


def _unreached(situation: Situation, why: str) -> Finding:
    host, advice = situation.upstream.host, "is this machine online?"
    found = f"{host} can't be reached through the proxy: {why}"
    if _UNRESOLVED.search(why):
        found = f"the proxy can't resolve the name {host} (DNS)"
    if _profile(situation) == "hunyuan":
        run = f"{situation.run_command()} --set hunyuan_upstream=https://tokenhub.tencentmaas.com/v1"
        advice += f" The old platform is shut down; to its successor: {run}"
    return Finding("endpoint", "problem", found, advice)


def _profile(situation: Situation) -> str | None:
    return profiles.at(canonical(situation.upstream.host), paths.normal(situation.upstream.path))


def key(situation: Situation) -> Finding | None:
    """Whether the endpoint accepts the key, by the cheapest call there is; nothing without `--online`."""
    if not situation.online:
        return None
    given = situation.environment.get(keys.VARIABLE, "").strip()
    if not given:
        return Finding("key", "problem", f"{keys.VARIABLE} isn't set here", f"set {keys.VARIABLE}, then try again")
    if situation.proxy is not Listener.HUNYUAN_FIX:
        return Finding("key", "warning", "not tried: the proxy must answer first")
    profile = profiles.load(_profile(situation) or "hunyuan")
    body = {"model": profile.text_model, "messages": [{"role": "user", "content": "1"}], "max_tokens": 1}
    # As bytes: httpx takes ASCII text only, and its complaint would show the key.
    headers = {b"authorization": b"Bearer " + given.encode("utf-8", "surrogateescape")}
    try:
        with _client(situation, _all_roots(situation)) as client:
            answer = client.post(f"{situation.upstream}/chat/completions", json=body, headers=headers)
    except (httpx.HTTPError, OSError) as error:
        return Finding("key", "warning", f"not tried: {_kind(error)}")
    return _judged_key(answer)


_VERDICTS: Mapping[int, tuple[Result, str, str]] = {
    401: ("problem", "refused", "take a key of this endpoint: Hunyuan's and TokenHub's are not the same"),
    403: ("problem", "not allowed to use this model", "allow it in the console, or take another key"),
    402: ("warning", "known, but its account has nothing left", "the console shows what is left"),
    429: ("warning", "known, but at its limit now", "wait, or look at the limits in the console"),
}


def _judged_key(answer: httpx.Response) -> Finding:
    status = answer.status_code
    if answer.is_success:
        return Finding("key", "ok", "accepted")
    if why := _unanswered(answer):
        return Finding("key", "warning", f"not tried: {why}")
    # The endpoint's message is not shown: some endpoints repeat the key in it.
    failed: tuple[Result, str, str] = ("warning", "no verdict, the call failed", "the proxy's log says more")
    result, verdict, advice = _VERDICTS.get(status, failed)
    return Finding("key", result, f"{verdict} (HTTP {status})", advice)


def _client(situation: Situation, context: ssl.SSLContext) -> httpx.Client:
    return httpx.Client(proxy=situation.proxy_url, verify=context, trust_env=False, timeout=ANSWER_TIMEOUT)


def _all_roots(situation: Situation) -> ssl.SSLContext:
    """The proxy's CA and the public ones; raises `OSError` if the first can't be read."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_verify_locations(situation.ca)
    return context


def _kind(error: Exception) -> str:
    """What failed, without any address: a proxy's address may contain a password."""
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if not isinstance(error, httpx.HTTPError):
        return "the proxy's CA can't be read"
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "TLS with the proxy fails"
    return "the proxy closed the connection"


_NO_ANSWER = frozenset(
    [proxy_errors.NAME_UNKNOWN.code, proxy_errors.CONNECT_TIMEOUT.code, proxy_errors.HANDSHAKE_FAILED.code]
)
"""The codes of the proxy's own errors where the endpoint didn't answer."""


def _unanswered(answer: httpx.Response) -> str:
    """Why this answer isn't the endpoint's; `""` if it is."""
    if from_mitmproxy(answer):
        return _reason(answer.text)
    body = json_body.parse_object(answer.content) if answer.status_code in (502, 504) else None
    error = body.get("error") if body else None
    if not isinstance(error, dict) or error.get("code") not in _NO_ANSWER:
        return ""
    sentence = str(error.get("message")).partition(". ")[0]
    return (sentence.partition(": ")[2] or sentence)[:_REASON_LENGTH]


def _reason(page: str) -> str:
    """The reason on mitmproxy's own error page."""
    found = re.search(r"<p>(.*?)</p>", page, re.DOTALL)
    return html.unescape(found[1])[:_REASON_LENGTH] if found else "mitmproxy failed"
