"""The proxy's ports, its TLS, the endpoint behind it, and the key."""

from __future__ import annotations

import html
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import certifi
import httpx

from ... import profiles
from ...access import keys
from ...config import operating_system
from ...texts.sentence import Sentence
from ...wire import json_body, paths, proxy_errors
from ...wire.host_names import canonical
from ..addresses import HOST
from . import base_urls
from .listeners import Listener, decrypts, from_mitmproxy
from .situation import Finding, Result, Situation

ANSWER_TIMEOUT = 30.0
"""Seconds for each step of a call to the endpoint."""

_REASON_LENGTH = 300
_SHUT_DOWN = "shut-down"
_FIELD = re.compile(r"\\\{\w+\\\}")
"""A field of a template, after `re.escape`."""


# Ports


def proxy_port(situation: Situation) -> Finding:
    """The proxy itself, as HTTPS_PROXY."""
    where, run = f"{HOST}:{situation.port}", situation.run_command()
    match situation.proxy:
        case Listener.HUNYUAN_FIX:
            return Finding("proxy/ok", "ok", Sentence("answers on {where}", where=where))
        case Listener.NOTHING if situation.reverse is Listener.HUNYUAN_FIX:
            found = Sentence("nothing listens on {where}: there is a reverse port only", where=where)
            return Finding("proxy/none", "problem" if situation.means_proxy_mode else "info", found)
        case Listener.NOTHING:
            found = Sentence("isn't running; port {port} is free", port=situation.port)
            return Finding("proxy/not-running", "problem", found, run)
        case Listener.LOCKED:
            found = Sentence("what listens on {where} asks for user and password", where=where)
            return Finding("proxy/locked", "problem", found, f"HTTPS_PROXY=http://USER:PASSWORD@{where}")
        case Listener.MITMPROXY:
            found = Sentence("on {where} runs mitmproxy without hunyuan-fix", where=where)
            return Finding("proxy/plain-mitmproxy", "problem", found, Sentence("stop it, then {run}", run=run))
        case Listener.OTHER:
            found = Sentence("something else listens on {where}", where=where)
            return Finding("proxy/other-program", "problem", found, _another_port("--port", situation))


def reverse_port(situation: Situation) -> Finding:
    """The reverse proxy, for clients that know only a base URL."""
    where = f"{HOST}:{situation.reverse_port}"
    match situation.reverse:
        case Listener.HUNYUAN_FIX:
            return Finding(
                "reverse/ok",
                "ok",
                Sentence("answers on {where}: base URL {url}", where=where, url=situation.reverse_url),
            )
        case Listener.LOCKED:
            found = Sentence(
                "on {where} asks for user and password: with them a client can't send its key", where=where
            )
            advice = Sentence("use HTTPS_PROXY, or start the proxy without proxyauth")
            return Finding("reverse/locked", "warning", found, advice)
        case Listener.NOTHING if situation.proxy is Listener.HUNYUAN_FIX:
            found = Sentence(
                "nothing listens on {where}: there is no base URL for clients that know no proxy", where=where
            )
            return Finding(
                "reverse/none", "warning", found, Sentence("stop the proxy, then {run}", run=situation.run_command())
            )
        case Listener.NOTHING:
            return Finding("reverse/free", "ok", Sentence("port {port} is free", port=situation.reverse_port))
        case _:
            found = Sentence("something else listens on {where}", where=where)
            return Finding("reverse/other-program", "problem", found, _another_port("--reverse-port", situation))


def _another_port(flag: str, situation: Situation) -> Sentence:
    port = situation.port if flag == "--port" else situation.reverse_port
    look, run = operating_system.listener_command(port), f"{situation.prefix}run {flag} PORT"
    if flag == "--port":
        return Sentence(
            "{look} shows which: stop it, or use another port: {run} (and {env} the same)",
            look=look,
            run=run,
            env=f"{situation.prefix}env",
        )
    return Sentence("{look} shows which: stop it, or use another port: {run}", look=look, run=run)


def mode(situation: Situation) -> Finding | None:
    """Whether the running proxy repairs at all; `None` if it does, or doesn't tell."""
    if situation.mode in ("", "repair"):
        return None
    found = Sentence("runs with hunyuan_mode={mode}: requests are not repaired", mode=situation.mode)
    return Finding("proxy/mode", "warning", found, Sentence("start it without that, or with hunyuan_mode=repair"))


def decryption(situation: Situation) -> Finding | None:
    """Whether the proxy decrypts connections to the endpoint, with the CA that clients are told to trust."""
    url = situation.client_url
    if situation.proxy is not Listener.HUNYUAN_FIX or url.scheme != "https":
        return None
    models = f"{url}/models"
    try:
        trusted = ssl.create_default_context(cafile=str(situation.ca))
    except OSError:
        return None
    if decrypts(situation.proxy_url, models, trusted):
        found = Sentence("decrypts connections to {host} with this CA", host=url.host)
        return Finding("decryption/ok", "ok", found)
    untrusting = ssl.create_default_context()
    untrusting.check_hostname, untrusting.verify_mode = False, ssl.CERT_NONE
    if decrypts(situation.proxy_url, models, untrusting):
        found = Sentence("the running proxy's certificates are from another CA than {file}", file=situation.ca)
        advice = Sentence("restart the proxy, or give --confdir the folder that it uses")
        return Finding("decryption/other-ca", "problem", found, advice)
    found = Sentence("connections to {host} pass the proxy unread", host=url.host)
    return Finding("decryption/off", "problem", found, f"{situation.run_command()} --set hunyuan_hosts={url.host}")


# The endpoint


@dataclass(frozen=True, slots=True)
class _Way:
    """How a call reaches the endpoint: by the reverse port, or by the proxy as a client of HTTPS_PROXY."""

    base_url: str
    proxy: str | None
    verify: ssl.SSLContext | bool

    def client(self) -> httpx.Client:
        return httpx.Client(proxy=self.proxy, verify=self.verify, trust_env=False, timeout=ANSWER_TIMEOUT)


def _way(situation: Situation) -> _Way | None:
    """`None` if no hunyuan-fix answers. Raises `OSError` if the way is by the proxy and its CA can't be read."""
    if situation.reverse is Listener.HUNYUAN_FIX and situation.upstream is None:
        return _Way(situation.reverse_url, None, verify=False)
    if situation.proxy is Listener.HUNYUAN_FIX:
        return _Way(str(situation.client_url), situation.proxy_url, _all_roots(situation))
    return None


def endpoint(situation: Situation) -> Finding:
    """Whether the endpoint answers a request without a key through the proxy, with any status."""
    if not situation.runs:
        return Finding("endpoint/not-tried", "info", Sentence("not tried: the proxy must answer first"))
    try:
        way = _way(situation)
        if way is None:
            return Finding("endpoint/not-tried", "info", Sentence("not tried: the proxy must answer first"))
        with way.client() as client:
            answer = client.get(f"{way.base_url}/models")
    except (httpx.HTTPError, OSError) as error:
        found = Sentence("{name} can't be reached through the proxy: {why}", name=name_of(situation), why=_kind(error))
        return Finding("endpoint/no-way", "problem", found)
    if kind := _unanswered(answer):
        return _unreached(situation, kind)
    name, status = name_of(situation), answer.status_code
    if status in (401, 403):
        return Finding(
            "endpoint/ok", "ok", Sentence("{name} answers and asks for a key (HTTP {status})", name=name, status=status)
        )
    if status >= 500:
        found = Sentence("{name} answers with an error of its own (HTTP {status})", name=name, status=status)
        return Finding("endpoint/failing", "warning", found, Sentence("try again later"))
    return Finding("endpoint/ok", "ok", Sentence("{name} answers (HTTP {status})", name=name, status=status))


def name_of(situation: Situation) -> str:
    """What to call the endpoint that calls go to: its product and host."""
    route = situation.route
    upstream = route.upstream if route is not None else ""
    host = urlsplit(upstream).netloc or situation.client_url.host
    profile = route.profile if route is not None else _profile(situation)
    known = base_urls.title(profile or "", host)
    return Sentence("{name} ({host})", name=known, host=host) if known else host


_KINDS: Mapping[str, tuple[proxy_errors.Entry, str, str]] = {
    "dns": (
        proxy_errors.NAME_UNKNOWN,
        "the proxy can't resolve the name of {name} (DNS)",
        "is this machine online? Does the name have no typing error?",
    ),
    "refused": (
        proxy_errors.CONNECTION_REFUSED,
        "{name} refuses the connection: no program listens there",
        "check host and port of the upstream",
    ),
    "timeout": (
        proxy_errors.CONNECT_TIMEOUT,
        "{name} doesn't answer the connection in time",
        "a firewall in between? Behind a company's proxy: --set hunyuan_outgoing_proxy=http://HOST:PORT",
    ),
    "unreachable": (
        proxy_errors.CONNECTION_FAILED,
        "there is no connection to {name}",
        "is this machine online? The proxy's log has the reason",
    ),
    "certificate": (
        proxy_errors.CERTIFICATE_NOT_TRUSTED,
        "the certificate of {name} can't be verified",
        "behind a company's proxy: --set ssl_verify_upstream_trusted_ca=FILE, its CA",
    ),
    "tls": (
        proxy_errors.HANDSHAKE_FAILED,
        "the TLS handshake with {name} fails",
        "check that the upstream's port speaks https, and what stands in between",
    ),
    "closed": (
        proxy_errors.CLOSED_WITHOUT_ANSWER,
        "{name} closes the connection without an answer",
        "check what stands in between, then try again",
    ),
    "not-http": (
        proxy_errors.ANSWER_NOT_HTTP,
        "{name} sends something that is no HTTP answer",
        "check scheme and port of the upstream",
    ),
}
"""The last part of a finding's id -> the proxy's own error that says so, and what the report says and advises."""


def kind_sentences() -> list[str]:
    """Every sentence in this table."""
    return [sentence for _, *sentences in _KINDS.values() for sentence in sentences]


def _unreached(situation: Situation, kind: str) -> Finding:
    name = name_of(situation)
    route = situation.route
    if kind == _SHUT_DOWN or (route is not None and route.shut_down):
        day = profiles.load("hunyuan").shut_down
        found = Sentence("{name} doesn't answer: it was shut down on {day}", name=name, day=day)
        advice = Sentence("to its successor: stop the proxy, then {run}", run=situation.run_command())
        return Finding("endpoint/shut-down", "problem", found, advice)
    if kind not in _KINDS:
        found = Sentence("{name} can't be reached through the proxy: {why}", name=name, why=kind)
        return Finding(
            "endpoint/unreachable", "problem", found, Sentence("is this machine online? The proxy's log has the reason")
        )
    _, said, remedy = _KINDS[kind]
    return Finding(f"endpoint/{kind}", "problem", Sentence(said, name=name), Sentence(remedy))


def _profile(situation: Situation) -> str | None:
    url = situation.client_url
    return profiles.at(canonical(url.host), paths.normal(url.path))


def key(situation: Situation) -> Finding | None:
    """Whether the endpoint accepts the key, by the cheapest call there is; nothing without `--online`."""
    if not situation.online:
        return None
    given = situation.environment.get(keys.VARIABLE, "").strip()
    if not given:
        found = Sentence("{variable} isn't set here", variable=keys.VARIABLE)
        return Finding("key/none", "problem", found, Sentence("set {variable}, then try again", variable=keys.VARIABLE))
    known = (situation.route.profile if situation.route is not None else "") or _profile(situation)
    profile = profiles.load(known if known in profiles.names() else "tokenhub")
    body = {"model": profile.text_model, "messages": [{"role": "user", "content": "1"}], "max_tokens": 1}
    # As bytes: httpx takes ASCII text only, and its complaint would show the key.
    headers = {b"authorization": b"Bearer " + given.encode("utf-8", "surrogateescape")}
    try:
        way = _way(situation)
        if way is None:
            return Finding("key/not-tried", "info", Sentence("not tried: the proxy must answer first"))
        with way.client() as client:
            answer = client.post(f"{way.base_url}/chat/completions", json=body, headers=headers)
    except (httpx.HTTPError, OSError) as error:
        return Finding("key/not-tried", "warning", Sentence("not tried: {why}", why=_kind(error)))
    return _judged_key(answer, name_of(situation))


_VERDICTS: Mapping[int, tuple[str, Result, str, str]] = {
    401: (
        "refused",
        "problem",
        "refused by {name} (HTTP {status})",
        "take a key of this endpoint: each product has keys of its own",
    ),
    403: (
        "not-allowed",
        "problem",
        "not allowed to use this model at {name} (HTTP {status})",
        "allow it in the console, or take another key",
    ),
    402: (
        "no-money",
        "warning",
        "known to {name}, but its account has nothing left (HTTP {status})",
        "the console shows what is left",
    ),
    429: (
        "limit",
        "warning",
        "known to {name}, but at its limit now (HTTP {status})",
        "wait, or look at the limits in the console",
    ),
}
_FAILED: tuple[str, Result, str, str] = (
    "no-verdict",
    "warning",
    "no verdict on the key, the call failed (HTTP {status})",
    "the proxy's log says more",
)


def verdict_sentences() -> list[str]:
    """Every sentence of these verdicts."""
    return [sentence for _, _, *sentences in (*_VERDICTS.values(), _FAILED) for sentence in sentences]


def _judged_key(answer: httpx.Response, name: str) -> Finding:
    status = answer.status_code
    if answer.is_success:
        return Finding("key/ok", "ok", Sentence("accepted by {name}", name=name))
    if _unanswered(answer):
        return Finding("key/not-tried", "warning", Sentence("not tried: {name} doesn't answer", name=name))
    # The endpoint's message is not shown: some endpoints repeat the key in it.
    outcome, result, verdict, advice = _VERDICTS.get(status, _FAILED)
    filled = Sentence(verdict, name=name, status=status) if "{name}" in verdict else Sentence(verdict, status=status)
    return Finding(f"key/{outcome}", result, filled, Sentence(advice))


def _all_roots(situation: Situation) -> ssl.SSLContext:
    """The proxy's CA and the public ones; raises `OSError` if the first can't be read."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_verify_locations(situation.ca)
    return context


def _kind(error: Exception) -> Sentence:
    """What failed, without any address: a proxy's address may contain a password."""
    if isinstance(error, httpx.TimeoutException):
        return Sentence("no answer in time")
    if not isinstance(error, httpx.HTTPError):
        return Sentence("the proxy's CA can't be read")
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return Sentence("TLS with the proxy fails")
    return Sentence("the proxy closed the connection")


def _unanswered(answer: httpx.Response) -> str:
    """Why this answer isn't the endpoint's: a name in `_KINDS` or a reason; `""` if it is the endpoint's."""
    if from_mitmproxy(answer):
        return _reason(answer.text)
    body = json_body.parse_object(answer.content) if answer.status_code in (502, 504) else None
    error = body.get("error") if body else None
    message = str(error.get("message")) if isinstance(error, dict) else ""
    entries = {_SHUT_DOWN: proxy_errors.UPSTREAM_SHUT_DOWN, **{kind: entry for kind, (entry, *_) in _KINDS.items()}}
    for kind, entry in entries.items():
        if re.match(_FIELD.sub(".+", re.escape(entry.message)), message, re.DOTALL):
            return kind
    return ""


def _reason(page: str) -> str:
    """The reason on mitmproxy's own error page."""
    found = re.search(r"<p>(.*?)</p>", page, re.DOTALL)
    return html.unescape(found[1])[:_REASON_LENGTH] if found else "mitmproxy failed"
