"""Stores of trusted roots: Java's for real, Windows', macOS' and browsers' by what their programs say."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hunyuan_fix.cli.doctor import trust
from hunyuan_fix.cli.doctor.situation import Situation
from hunyuan_fix.hooks import authority
from tests.cli.doctor.situations import at, situation
from tests.end_to_end.processes import Certificates


def test_a_bundle_of_linux(certificates: Certificates, tmp_path: Path) -> None:
    ca = certificates.proxy_ca
    store, missing = tmp_path / "ca-certificates.crt", tmp_path / "missing.crt"
    store.write_bytes(certificates.authority_file.read_bytes())
    assert not trust.any_holds([missing, store], ca)
    store.write_bytes(certificates.authority_file.read_bytes() + ca.read_bytes().replace(b"\n", b"\r\n"))
    assert trust.any_holds([missing, store], ca)


def test_the_store_of_linux(certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "ca-certificates.crt"
    store.write_bytes(b"")
    monkeypatch.setattr(trust, "SYSTEM_BUNDLES", (store,))
    for program, add, remove in (
        ("update-ca-certificates", "sudo update-ca-certificates", "update-ca-certificates --fresh"),
        (None, "sudo trust anchor --store", "sudo trust anchor --remove"),
    ):
        monkeypatch.setattr(shutil, "which", lambda name, program=program, **_: program)
        store.write_bytes(b"")
        without = trust.system_store(situation(certificates))
        assert without
        assert (without.id, without.result) == ("store/without", "info")
        assert add in without.advice
        assert str(certificates.proxy_ca) in without.advice
        shutil.copy(certificates.proxy_ca, store)
        held = trust.system_store(situation(certificates))
        assert held
        assert (held.id, held.result) == ("store/ok", "ok")
        assert remove in held.advice


def test_the_store_of_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority.ensure(tmp_path)
    monkeypatch.setattr(sys, "platform", "win32")
    roots: list[tuple[bytes, str, bool]] = [(b"another", "x509_asn", True)]
    monkeypatch.setattr(ssl, "enum_certificates", lambda _: roots, raising=False)
    found = trust.system_store(at(tmp_path))
    assert found
    assert found.result == "info"
    assert "certutil -user -addstore Root" in found.advice
    roots.append((ssl.PEM_cert_to_DER_cert(authority.ca_file(tmp_path).read_text()), "x509_asn", True))
    found = trust.system_store(at(tmp_path))
    assert found
    assert found.result == "ok"
    assert "certutil -user -delstore Root " in found.advice


@pytest.mark.parametrize(
    ("status", "result", "line"), [(0, "ok", "remove-trusted-cert"), (1, "info", "add-trusted-cert")]
)
def test_the_keychain_of_macos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, result: str, line: str
) -> None:
    authority.ensure(tmp_path)
    program = tmp_path / "bin/security"
    program.parent.mkdir()
    said = tmp_path / "asked"
    program.write_text(f'#!/bin/sh\necho "$@" > "{said}"\nexit {status}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setattr(sys, "platform", "darwin")
    found = trust.system_store(at(tmp_path))
    assert found
    assert found.result == result
    assert line in found.advice
    assert said.read_text().split() == ["verify-cert", "-c", str(authority.ca_file(tmp_path))]


def test_a_keychain_that_nobody_can_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority.ensure(tmp_path)
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert trust.system_store(at(tmp_path)) is None
    assert trust.system_store(at(tmp_path / "nowhere")) is None


def nss(home: Path, ca: Path | None) -> dict[str, str]:
    """A home with a store of Chrome's, a Firefox profile and a folder that is none, and NSS's `certutil` before it."""
    for folder in (".pki/nssdb", ".mozilla/firefox/abc.default"):
        (home / folder).mkdir(parents=True)
        (home / folder / "cert9.db").touch()
    (home / ".mozilla/firefox/Crash Reports").mkdir()
    program = home / "bin/certutil"
    program.parent.mkdir()
    shows = f'case "$*" in *nssdb*) cat "{ca}";; *) exit 255;; esac' if ca else "exit 255"
    program.write_text(f"#!/bin/sh\n{shows}\n")
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:/usr/bin:/bin", "HOME": str(home)}


def test_browsers_of_linux_have_stores_of_their_own(certificates: Certificates, tmp_path: Path) -> None:
    given = nss(tmp_path, certificates.proxy_ca)
    chrome, firefox = trust.browser_stores(situation(certificates, **given))
    assert (chrome.id, chrome.result) == ("nss/ok", "ok")
    assert f"certutil -D -d sql:{tmp_path}/.pki/nssdb -n hunyuan-fix" in chrome.advice
    assert (firefox.id, firefox.result) == ("nss/without", "info")
    assert f"certutil -A -d sql:{tmp_path}/.mozilla/firefox/abc.default -n hunyuan-fix -t C,, -i" in firefox.advice
    assert not [*trust.browser_stores(situation(certificates, PATH="/nowhere", HOME=str(tmp_path)))]


needs_java = pytest.mark.skipif(shutil.which("keytool") is None, reason="there is no Java")


@needs_java
def test_a_real_store_of_javas(certificates: Certificates, tmp_path: Path) -> None:
    """What the doctor advises is run against a copy of the store, by a Java home whose `keytool` uses that."""
    keytool = str(shutil.which("keytool"))
    store = tmp_path / "cacerts"
    listed = [
        keytool,
        "-genkeypair",
        "-alias",
        "other",
        "-keyalg",
        "EC",
        "-dname",
        "CN=other",
        "-storepass",
        "changeit",
    ]
    subprocess.run(
        [*listed, "-keystore", str(store), "-keypass", "changeit"], check=True, capture_output=True, timeout=60
    )
    own = tmp_path / "bin/keytool"
    own.parent.mkdir()
    own.write_text(
        f'#!/bin/bash\na=(); for w in "$@"; do [ "$w" = -cacerts ] && a+=(-keystore "{store}") || a+=("$w"); done\n'
        f'exec {keytool} "${{a[@]}}"\n'
    )
    own.chmod(0o755)
    given = {"JAVA_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}

    def asked() -> tuple[str, str]:
        found = trust.java_store(situation(certificates, **given))
        assert found
        return found.id, found.advice.partition(": ")[2]

    first, add = asked()
    assert first == "java/without"
    subprocess.run(["sh", "-c", add], check=True, env={"PATH": f"{own.parent}:/usr/bin:/bin"}, timeout=60)
    second, remove = asked()
    assert second == "java/ok"
    subprocess.run(["sh", "-c", remove], check=True, env={"PATH": f"{own.parent}:/usr/bin:/bin"}, timeout=60)
    assert asked()[0] == "java/without"


def test_without_java_or_with_one_that_fails(certificates: Certificates, tmp_path: Path) -> None:
    def found(given: Situation) -> object:
        return trust.java_store(given)

    assert found(situation(certificates, PATH="/nowhere")) is None
    old = tmp_path / "keytool"
    old.write_text("#!/bin/sh\necho 'Illegal option: -cacerts'; exit 1\n")
    old.chmod(0o755)
    assert found(situation(certificates, PATH=str(tmp_path))) is None
    assert found(replace(situation(certificates, PATH=str(tmp_path)), confdir=tmp_path)) is None
