"""The CA's files: what is wrong with them, and that the change which is offered mends it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from hunyuan_fix.cli import client_setup
from hunyuan_fix.cli.doctor import authority, clients
from hunyuan_fix.cli.doctor.situation import Finding
from hunyuan_fix.hooks.authority import bundle_file, ca_file, key_file
from tests.cli.doctor.situations import at
from tests.end_to_end.processes import Certificates


def usable(confdir: Path, **variables: str) -> Finding:
    found = authority.usable(replace(at(confdir), environment=variables))
    assert found
    return found


def test_a_key_that_others_can_read(tmp_path: Path) -> None:
    client_setup.write_bundle(tmp_path)
    for mend in (
        lambda found: subprocess.run(["sh", "-c", found.advice], check=True, timeout=60),
        lambda found: found.fix.apply({}),
    ):
        key_file(tmp_path).chmod(0o644)
        found = usable(tmp_path)
        assert (found.id, found.result) == ("ca/open", "problem")
        mend(found)
        assert usable(tmp_path).result == "ok"


def test_without_a_ca_only_those_are_told_who_need_one(tmp_path: Path) -> None:
    assert authority.usable(at(tmp_path)) is None
    found = usable(tmp_path, HTTPS_PROXY="http://127.0.0.1:8080")
    assert (found.id, found.result) == ("ca/none", "problem")
    assert found.fix
    found.fix.apply({})
    assert usable(tmp_path, HTTPS_PROXY="http://127.0.0.1:8080").result == "ok"
    assert bundle_file(tmp_path).read_bytes().count(b"BEGIN CERTIFICATE") > 100


def test_files_that_are_no_ca(certificates: Certificates, tmp_path: Path) -> None:
    ca = ca_file(tmp_path)
    client_setup.write_bundle(tmp_path)
    ca.write_text("nothing")
    assert "no certificate" in usable(tmp_path).found
    shutil.copy(certificates.proxy_ca, ca)
    assert "is not the certificate of" in usable(tmp_path).found
    ca.unlink()
    ca.mkdir()
    assert "can't be read" in usable(tmp_path).found
    for client in (clients.curl, clients.python, clients.node):
        assert client(at(tmp_path / "nowhere")) is None


def test_a_ca_that_has_expired(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("old", not_after=datetime.now(UTC) - timedelta(days=1))
    ca_file(tmp_path).write_bytes(issued.cert_chain_pems[0].bytes())
    key_file(tmp_path).write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    found = usable(tmp_path)
    assert found.result == "problem"
    assert "expired on" in found.found
