"""The proxy's CA: its files, and who can read its key. Which stores trust it: `trust`."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from ...config import operating_system
from ...hooks.authority import bundle_file, key_file
from ...texts.sentence import Sentence
from .. import client_setup
from .situation import Backups, Finding, Fix, Situation


def usable(situation: Situation) -> Finding | None:
    """The CA's two files; `None` without any where nothing needs them."""
    key, confdir = key_file(situation.confdir), situation.confdir
    if not (key.exists() or situation.ca.exists() or situation.means_proxy_mode):
        return None
    try:
        certificate = x509.load_pem_x509_certificate(situation.ca.read_bytes())
        own = x509.load_pem_x509_certificate(key.read_bytes())
        status = key.stat()
    except (OSError, ValueError) as error:
        return _unreadable(situation, error)
    new = Sentence("move {folder} away, stop the proxy and start it again: it makes a new CA", folder=confdir)
    if certificate != own:
        found = Sentence("{file} is not the certificate of {key}", file=situation.ca, key=key)
        return Finding("ca/mismatch", "problem", found, new)
    end = certificate.not_valid_after_utc
    if end < datetime.now(UTC):
        found = Sentence("{file} expired on {day}", file=situation.ca, day=f"{end:%Y-%m-%d}")
        return Finding("ca/expired", "problem", found, new)
    if operating_system.open_to_others(status):
        found = Sentence(
            "others can read its key: {file} has mode {mode}", file=key, mode=f"{stat.S_IMODE(status.st_mode):04o}"
        )
        return Finding("ca/open", "problem", found, f"chmod 600 {situation.quoted(key)}", closed_to_others(key))
    return Finding("ca/ok", "ok", str(situation.ca))


def closed_to_others(file: Path) -> Fix:
    """The change that lets only its owner read and write `file`."""

    def apply(_: Backups) -> Sentence:
        file.chmod(0o600)
        return Sentence("{file} has mode 0600 now", file=file)

    return Fix(Sentence("give {file} the mode 0600, for its owner only", file=file), apply)


def _unreadable(situation: Situation, error: OSError | ValueError) -> Finding:
    confdir = situation.confdir
    match error:
        case FileNotFoundError():
            found = Sentence("there is no {file}", file=error.filename)
            advice = Sentence("{line}   (makes it)", line=situation.activation())
            return Finding("ca/none", "problem", found, advice, _made(confdir))
        case OSError():
            found = Sentence("{file} can't be read: {why}", file=error.filename, why=error.strerror)
            advice = Sentence("give yourself the files in {folder}", folder=confdir)
            return Finding("ca/unreadable", "problem", found, advice)
        case _:
            found = Sentence("the files in {folder} hold no certificate", folder=confdir)
            advice = Sentence(
                "move {folder} away, stop the proxy and start it again: it makes a new CA", folder=confdir
            )
            return Finding("ca/no-certificate", "problem", found, advice)


def _made(confdir: Path) -> Fix:
    def apply(_: Backups) -> Sentence:
        try:
            client_setup.ensure_files(confdir)
        except ValueError as error:
            raise OSError(str(error)) from None
        return Sentence("made: {file}", file=bundle_file(confdir))

    return Fix(Sentence("make the proxy's CA and its bundle in {folder}", folder=confdir), apply)


def why_distrusted(variable: str, roots: Path, ca: Path) -> Sentence | None:
    """Why a client whose roots are in the file `roots`, named by `variable`, doesn't trust `ca`; `None` if it does."""
    try:
        if holds(roots.read_bytes(), ca.read_bytes()):
            return None
    except OSError as error:
        return Sentence("{variable} names {file}: {why}", variable=variable, file=roots, why=error.strerror)
    except ValueError:  # a name that no file can have
        pass
    return Sentence("{variable} names {file}, which does not hold it", variable=variable, file=roots)


def holds(bundle: bytes, certificate: bytes) -> bool:
    """Whether the PEM text `bundle` holds the one in `certificate`, wherever their lines break."""
    return b"".join(certificate.split()) in b"".join(bundle.split())
