"""curl, Python and Node, started with the user's environment: whether they use the proxy and trust its CA."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

from . import authority, trial
from .situation import Finding, Situation
from .trial import Visit

_GOOD = "uses HTTPS_PROXY and trusts the proxy's CA"
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
    finding = _judged("Python client", seen, situation, "SSL_CERT_FILE")
    if finding.result == "ok" and _only_one_root(situation):
        found = "SSL_CERT_FILE holds the proxy's CA and nothing else: calls to other hosts fail"
        return Finding("Python client", "warning", found, situation.activation())
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
        return _judged("Node client", seen, situation, "NODE_EXTRA_CA_CERTS")
    switched = trial.visit(command, {**situation.environment, _NODE_SWITCH: "1"}, context)
    if switched is not None and switched.proxied:
        found = f"goes past the proxy: {_NODE_SWITCH}=1 isn't set"
        return Finding("Node client", situation.severity(), found, situation.activation())
    found = f"{_version(program)} knows no HTTPS_PROXY; programs that bring their own proxy support do"
    if not seen.trusted:
        found += f"; and it doesn't trust the proxy's CA: {_lack(situation, 'NODE_EXTRA_CA_CERTS')}"
    advice = f"use Node 24 or 22.21, or give the client the base URL http://127.0.0.1:{situation.reverse_port}/v1"
    return Finding("Node client", "warning", found, advice)


def _context(situation: Situation) -> ssl.SSLContext | None:
    try:
        return trial.server_context(situation.confdir)
    except (OSError, ValueError):
        return None


def _judged(name: str, seen: Visit | None, situation: Situation, variable: str) -> Finding:
    if seen is not None and seen.proxied and seen.trusted:
        return Finding(name, "ok", _GOOD)
    lack = _lack(situation, variable)
    if seen is None:
        found = f"makes no connection: {lack}"
    elif not seen.proxied:
        found = "goes past the proxy although HTTPS_PROXY is set"
    else:
        found = f"doesn't trust the proxy's CA: {lack}"
    return Finding(name, situation.severity(), found, situation.activation())


def _lack(situation: Situation, variable: str) -> str:
    """What is wrong with the variable that names a client's roots."""
    path = situation.environment.get(variable)
    if not path:
        other = "REQUESTS_CA_BUNDLE"
        helps = f" ({other} serves the library requests only)" if situation.environment.get(other) else ""
        return f"{variable} isn't set{helps}"
    try:
        held = authority.holds(Path(path).read_bytes(), situation.ca.read_bytes())
    except OSError as error:
        return f"{variable} names {path}: {error.strerror}"
    return f"{variable} names {path}, which {'holds' if held else 'does not hold'} it"


def _only_one_root(situation: Situation) -> bool:
    path = situation.environment.get("SSL_CERT_FILE")
    return bool(path) and Path(str(path)).read_bytes().count(b"BEGIN CERTIFICATE") == 1


def _version(program: str) -> str:
    try:
        asked = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except subprocess.TimeoutExpired:
        return "this Node"
    return asked.stdout.strip() or "this Node"
