"""The stores of trusted roots on this system: whether each holds the proxy's CA, how to add it and how to remove it.

Nothing is changed here: each line is for the user to run. docs/certificates.md explains them.
"""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ...config import operating_system
from ...texts.sentence import Sentence
from .authority import holds
from .situation import Finding, Situation

NAME = "hunyuan-fix"
"""What the CA is called where a store wants a name for it."""
TIMEOUT = 10.0
"""Seconds that a program may take to say what a store holds."""

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

_DEBIAN = "/usr/local/share/ca-certificates/hunyuan-fix.crt"
_KEYCHAIN = "~/Library/Keychains/login.keychain-db"
_NSS_FOLDERS = (
    ".pki/nssdb",  # Chrome, Chromium, VS Code
    ".mozilla/firefox/*",
    "snap/firefox/common/.mozilla/firefox/*",
    ".var/app/org.mozilla.firefox/.mozilla/firefox/*",
)
"""Below the home folder: where browsers on Linux have their own stores."""


@dataclass(frozen=True, slots=True)
class Commands:
    """The lines that add the CA to a store, and that remove it."""

    add: str
    remove: str


def system_store(situation: Situation) -> Finding | None:
    """Whether programs that use the system's store trust the proxy; `None` if there is no CA, or nobody can say."""
    commands = commands_for_system(situation)
    if commands is None:
        return None
    trusted = _system_trusts(situation.ca)
    if trusted is None:
        return None
    if trusted:
        return Finding(
            "store/ok", "ok", Sentence("holds the CA"), Sentence("to remove it: {line}", line=commands.remove)
        )
    found = Sentence("doesn't hold the CA; only VS Code and programs without a variable for it need that")
    return Finding("store/without", "info", found, Sentence("if you need that: {line}", line=commands.add))


def commands_for_system(situation: Situation) -> Commands | None:
    """The lines for this system's own store; `None` if there is no CA that can be read."""
    try:
        sha1 = x509.load_pem_x509_certificate(situation.ca.read_bytes()).fingerprint(hashes.SHA1()).hex()  # noqa: S303
    except (OSError, ValueError):
        return None
    ca = situation.quoted(situation.ca)
    if operating_system.is_windows():
        return Commands(f"certutil -user -addstore Root {ca}", f"certutil -user -delstore Root {sha1}")
    if operating_system.is_macos():
        return Commands(
            f"security add-trusted-cert -r trustRoot -k {_KEYCHAIN} {ca}",
            f"security remove-trusted-cert {ca}; security delete-certificate -Z {sha1.upper()} {_KEYCHAIN}",
        )
    if shutil.which("update-ca-certificates"):
        return Commands(
            f"sudo cp {ca} {_DEBIAN} && sudo update-ca-certificates",
            f"sudo rm {_DEBIAN} && sudo update-ca-certificates --fresh",
        )
    return Commands(f"sudo trust anchor --store {ca}", f"sudo trust anchor --remove {ca}")


def _system_trusts(ca: Path) -> bool | None:
    if operating_system.is_windows():
        return ssl.PEM_cert_to_DER_cert(ca.read_text("ascii")) in operating_system.roots_of_windows()
    if operating_system.is_macos():
        asked = _asked(["security", "verify-cert", "-c", str(ca)])
        return None if asked is None else asked.returncode == 0
    return any_holds(SYSTEM_BUNDLES, ca)


def any_holds(bundles: Iterable[Path], ca: Path) -> bool:
    """Whether one of the files `bundles` holds the certificate in the file `ca`; missing files count as empty."""
    return any(bundle.is_file() and holds(bundle.read_bytes(), ca.read_bytes()) for bundle in bundles)


def browser_stores(situation: Situation) -> Iterator[Finding]:
    """The stores of browsers on Linux, which have their own; nothing without NSS's `certutil`, which asks them."""
    program = shutil.which("certutil", path=situation.environment.get("PATH"))
    home = situation.environment.get("HOME")
    if program is None or home is None or operating_system.is_windows() or operating_system.is_macos():
        return
    if not situation.ca.exists():
        return
    for pattern in _NSS_FOLDERS:
        for folder in sorted(Path(home).glob(pattern)):
            if not (folder / "cert9.db").is_file():
                continue
            store = f"sql:{folder}"
            asked = _asked([program, "-L", "-d", store, "-n", NAME, "-a"])
            if asked is None:
                continue
            quoted = situation.quoted(Path(store))
            if asked.returncode == 0 and holds(asked.stdout, situation.ca.read_bytes()):
                remove = f"certutil -D -d {quoted} -n {NAME}"
                found = Sentence("{folder} holds the CA", folder=folder)
                yield Finding("nss/ok", "ok", found, Sentence("to remove it: {line}", line=remove))
            else:
                ca = situation.quoted(situation.ca)
                add = f"certutil -A -d {quoted} -n {NAME} -t C,, -i {ca}"
                found = Sentence("{folder} doesn't hold the CA; only pages in that browser need that", folder=folder)
                yield Finding("nss/without", "info", found, Sentence("if you need that: {line}", line=add))


def java_store(situation: Situation) -> Finding | None:
    """The store of this machine's Java; `None` without one, before Java 9, or without a CA."""
    keytool = _keytool(situation)
    if keytool is None or not situation.ca.exists():
        return None
    asked = _asked([keytool, "-list", "-rfc", "-cacerts", "-storepass", "changeit"])
    if asked is None or asked.returncode != 0:
        return None
    if holds(asked.stdout, situation.ca.read_bytes()):
        remove = f"keytool -delete -cacerts -storepass changeit -alias {NAME}"
        return Finding("java/ok", "ok", Sentence("holds the CA"), Sentence("to remove it: {line}", line=remove))
    ca = situation.quoted(situation.ca)
    add = f"keytool -importcert -noprompt -cacerts -storepass changeit -alias {NAME} -file {ca}"
    found = Sentence("doesn't hold the CA; only programs in Java need that, such as JetBrains' plug-ins")
    return Finding("java/without", "info", found, Sentence("if you need that: {line}", line=add))


def _keytool(situation: Situation) -> str | None:
    java_home = situation.environment.get("JAVA_HOME")
    if java_home and (own := shutil.which("keytool", path=str(Path(java_home, "bin")))):
        return own
    return shutil.which("keytool", path=situation.environment.get("PATH"))


def _asked(command: list[str]) -> subprocess.CompletedProcess[bytes] | None:
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
