"""The CA's files, and the system's store."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from hunyuan_fix.cli import client_setup
from hunyuan_fix.cli.doctor import authority, clients
from hunyuan_fix.hooks.authority import ca_file, key_file
from tests.cli.doctor.situations import at
from tests.end_to_end.processes import Certificates


def test_a_key_that_others_can_read(tmp_path: Path) -> None:
    client_setup.write_bundle(tmp_path)
    (tmp_path / "mitmproxy-ca.pem").chmod(0o644)
    finding = authority.usable(at(tmp_path))
    assert finding.result == "problem"
    subprocess.run(["sh", "-c", finding.advice], check=True, timeout=60)
    assert authority.usable(at(tmp_path)).result == "ok"


def test_files_that_are_no_ca(certificates: Certificates, tmp_path: Path) -> None:
    ca = ca_file(tmp_path)
    client_setup.write_bundle(tmp_path)
    ca.write_text("nothing")
    assert "no certificate" in authority.usable(at(tmp_path)).found
    shutil.copy(certificates.proxy_ca, ca)
    assert "is not the certificate of" in authority.usable(at(tmp_path)).found
    ca.unlink()
    ca.mkdir()
    assert "can't be read" in authority.usable(at(tmp_path)).found
    for client in (clients.curl, clients.python, clients.node):
        assert client(at(tmp_path / "nowhere")) is None


def test_a_ca_that_has_expired(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("old", not_after=datetime.now(UTC) - timedelta(days=1))
    ca_file(tmp_path).write_bytes(issued.cert_chain_pems[0].bytes())
    key_file(tmp_path).write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    finding = authority.usable(at(tmp_path))
    assert finding.result == "problem"
    assert "expired on" in finding.found


def test_the_systems_store(certificates: Certificates, tmp_path: Path) -> None:
    ca = certificates.proxy_ca
    store, missing = tmp_path / "ca-certificates.crt", tmp_path / "missing.crt"
    store.write_bytes(certificates.authority_file.read_bytes())
    assert not authority.any_holds([missing, store], ca)
    store.write_bytes(certificates.authority_file.read_bytes() + ca.read_bytes().replace(b"\n", b"\r\n"))
    assert authority.any_holds([missing, store], ca)
