"""curl, Python and Node, started with the user's environment: whether they use the proxy and trust its CA."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

from ...texts.sentence import Sentence
from . import authority, trial
from .situation import Finding, Situation
from .trial import Visit

_FETCH = "fetch(process.argv[1]).catch(() => {})"
_GET = "import sys, httpx; httpx.get(sys.argv[1])"
_NODE_SWITCH = "NODE_USE_ENV_PROXY"


def curl(situation: Situation) -> Finding | None:
    """curl; `None` if it isn't installed."""
    program = shutil.which("curl", path=situation.environment.get("PATH"))
    context = _context(situation)
    if program is None or context is None:
        return None
    seen = trial.visit(lambda url: [program, "--silent", "--output", os.devnull, url], situation.environment, context)
    variable = "CURL_CA_BUNDLE" if situation.environment.get("CURL_CA_BUNDLE") else "SSL_CERT_FILE"
    return _judged("curl", seen, situation, variable)


def python(situation: Situation) -> Finding | None:
    """Python with httpx, on which the SDKs are built."""
    context = _context(situation)
    if context is None:
        return None
    seen = trial.visit(lambda url: [sys.executable, "-I", "-c", _GET, url], situation.environment, context)
    finding = _judged("python-client", seen, situation, "SSL_CERT_FILE")
    if finding.result == "ok" and _only_one_root(situation):
        found = Sentence("SSL_CERT_FILE holds the proxy's CA and nothing else: calls to other hosts fail")
        return Finding("python-client/one-root", "warning", found, situation.activation())
    return finding


def node(situation: Situation) -> Finding | None:
    """Node's own `fetch`, which the SDKs use; `None` if Node isn't installed."""
    program = shutil.which("node", path=situation.environment.get("PATH"))
    context = _context(situation)
    if program is None or context is None:
        return None

    def command(url: str) -> list[str]:
        return [program, "-e", _FETCH, url]

    seen = trial.visit(command, situation.environment, context)
    if seen is None or seen.proxied:
        return _judged("node-client", seen, situation, "NODE_EXTRA_CA_CERTS")
    switched = trial.visit(command, {**situation.environment, _NODE_SWITCH: "1"}, context)
    if switched is not None and switched.proxied:
        found = Sentence("goes past the proxy: {variable}=1 isn't set", variable=_NODE_SWITCH)
        return Finding("node-client/past", situation.severity(), found, situation.activation())
    version = _version(program)
    found = Sentence("{node} knows no HTTPS_PROXY; programs that bring their own proxy support do", node=version)
    if not seen.trusted:
        found = Sentence(
            "{node} knows no HTTPS_PROXY; programs that bring their own proxy support do; and it doesn't trust the "
            "proxy's CA: {why}",
            node=version,
            why=_lack(situation, "NODE_EXTRA_CA_CERTS"),
        )
    advice = Sentence("use Node 24 or 22.21, or give the client the base URL {url}", url=situation.reverse_url)
    return Finding("node-client/old", "warning", found, advice)


def _context(situation: Situation) -> ssl.SSLContext | None:
    try:
        return trial.server_context(situation.confdir)
    except (OSError, ValueError):
        return None


def _judged(check: str, seen: Visit | None, situation: Situation, variable: str) -> Finding:
    if seen is not None and seen.proxied and seen.trusted:
        return Finding(f"{check}/ok", "ok", Sentence("uses HTTPS_PROXY and trusts the proxy's CA"))
    lack = _lack(situation, variable)
    if seen is None:
        outcome, found = "no-connection", Sentence("makes no connection: {why}", why=lack)
    elif not seen.proxied:
        outcome, found = "past", Sentence("goes past the proxy although HTTPS_PROXY is set")
    else:
        outcome, found = "untrusting", Sentence("doesn't trust the proxy's CA: {why}", why=lack)
    return Finding(f"{check}/{outcome}", situation.severity(), found, situation.activation())


def _lack(situation: Situation, variable: str) -> Sentence:
    """What is wrong with the variable that names a client's roots."""
    path = situation.environment.get(variable)
    if not path:
        other = "REQUESTS_CA_BUNDLE"
        if situation.environment.get(other):
            return Sentence(
                "{variable} isn't set ({other} serves the library requests only)", variable=variable, other=other
            )
        return Sentence("{variable} isn't set", variable=variable)
    return authority.why_distrusted(variable, Path(path), situation.ca) or Sentence(
        "{variable} names {file}, which holds it", variable=variable, file=path
    )


def _only_one_root(situation: Situation) -> bool:
    path = situation.environment.get("SSL_CERT_FILE")
    return bool(path) and Path(str(path)).read_bytes().count(b"BEGIN CERTIFICATE") == 1


def _version(program: str) -> str:
    try:
        asked = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except subprocess.TimeoutExpired:
        return "this Node"
    return asked.stdout.strip() or "this Node"
