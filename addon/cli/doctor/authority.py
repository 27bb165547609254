"""The proxy's CA: its files, who can read its key, and whether the system trusts it."""

from __future__ import annotations

import ssl
import stat
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from ...config import operating_system
from ...hooks.authority import key_file
from .situation import Finding, Situation

SYSTEM_BUNDLES = tuple(
    map(
        Path,
        (
            "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine
            "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
            "/etc/ssl/ca-bundle.pem",  # openSUSE
            "/etc/ssl/cert.pem",
        ),
    )
)
"""Files with all trusted roots of a Linux system."""

_NEW_CA = "move {confdir} away, stop the proxy and start it again: it makes a new CA"


def usable(situation: Situation) -> Finding:
    """The CA's two files."""
    key, confdir = key_file(situation.confdir), situation.confdir
    try:
        certificate = x509.load_pem_x509_certificate(situation.ca.read_bytes())
        own = x509.load_pem_x509_certificate(key.read_bytes())
        status = key.stat()
    except (OSError, ValueError) as error:
        return _unreadable(situation, error)
    if certificate != own:
        return _problem(f"{situation.ca} is not the certificate of {key}", _NEW_CA.format(confdir=confdir))
    end = certificate.not_valid_after_utc
    if end < datetime.now(UTC):
        return _problem(f"{situation.ca} expired on {end:%Y-%m-%d}", _NEW_CA.format(confdir=confdir))
    if operating_system.open_to_others(status):
        mode = stat.S_IMODE(status.st_mode)
        return _problem(f"others can read its key: {key} has mode {mode:04o}", f"chmod 600 {situation.quoted(key)}")
    return Finding("CA", "ok", str(situation.ca))


def _unreadable(situation: Situation, error: OSError | ValueError) -> Finding:
    confdir = situation.confdir
    match error:
        case FileNotFoundError():
            return _problem(f"there is no {error.filename}", f"{situation.activation()}   (makes it)")
        case OSError():
            return _problem(
                f"{error.filename} can't be read: {error.strerror}", f"give yourself the files in {confdir}"
            )
        case _:
            return _problem(f"the files in {confdir} hold no certificate", _NEW_CA.format(confdir=confdir))


def _problem(found: str, advice: str) -> Finding:
    return Finding("CA", "problem", found, advice)


def in_system_store(situation: Situation) -> Finding | None:
    """Whether programs that use the system's store trust the proxy; `None` if there is no CA."""
    if not situation.ca.exists():
        return None
    if _system_trusts(situation.ca):
        return Finding("system store", "ok", "holds the CA")
    found = "doesn't hold the CA; only VS Code and programs without a variable for it need that"
    return Finding("system store", "warning", found, _how_to_add(situation))


def _system_trusts(ca: Path) -> bool:
    if operating_system.is_windows():
        der = ssl.PEM_cert_to_DER_cert(ca.read_text("ascii"))
        return der in operating_system.roots_of_windows()
    if operating_system.is_macos():
        command = ["security", "verify-cert", "-c", str(ca)]
        return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0
    return any_holds(SYSTEM_BUNDLES, ca)


def any_holds(bundles: Iterable[Path], ca: Path) -> bool:
    """Whether one of the files `bundles` holds the certificate in the file `ca`; missing files count as empty."""
    return any(bundle.is_file() and holds(bundle.read_bytes(), ca.read_bytes()) for bundle in bundles)


def holds(bundle: bytes, certificate: bytes) -> bool:
    """Whether the PEM text `bundle` holds the one in `certificate`, wherever their lines break."""
    return b"".join(certificate.split()) in b"".join(bundle.split())


def _how_to_add(situation: Situation) -> str:
    ca = situation.quoted(situation.ca)
    if operating_system.is_windows():
        return f"if you need that: certutil -addstore -user Root {ca}"
    if operating_system.is_macos():
        keychain = "~/Library/Keychains/login.keychain-db"
        return f"if you need that: security add-trusted-cert -r trustRoot -k {keychain} {ca}"
    if Path("/etc/pki/ca-trust/source/anchors").is_dir():
        return f"if you need that: sudo trust anchor --store {ca}"
    target = "/usr/local/share/ca-certificates/mitmproxy.crt"
    return f"if you need that: sudo cp {ca} {target} && sudo update-ca-certificates"
