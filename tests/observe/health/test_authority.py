"""The CA's check: real files, as mitmproxy makes them, and what becomes of them."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from mitmproxy.certs import CertStore

from hunyuan_fix.hooks import authority
from hunyuan_fix.observe.health import Finding, State
from hunyuan_fix.observe.health.authority import AuthorityCheck
from tests.observe.health.clocks import Clock

NOW = 1_790_000_000.0
DAY = 86_400.0


def make(folder: Path, *, begins: float = -2, ends: float = 3650) -> None:
    """A CA in mitmproxy's files; `begins` and `ends` in days from `NOW`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mitmproxy")])
    at = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(at + datetime.timedelta(begins))
        .not_valid_after(at + datetime.timedelta(ends))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    authority.key_file(folder).write_bytes(private + made.public_bytes(pem))
    authority.ca_file(folder).write_bytes(made.public_bytes(pem))


class Watched:
    """The check of the CA in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.key, self.certificate = authority.key_file(folder), authority.ca_file(folder)
        self.clock, self.needed = Clock(NOW), True
        self.check = AuthorityCheck(self.clock)
        self.check.follow(self.key, self.certificate, lambda: self.needed)

    async def found(self, days: float = 0) -> Finding:
        self.clock.now = NOW + days * DAY
        return await self.check.look()


@pytest.fixture
def ca(tmp_path: Path) -> Watched:
    make(tmp_path)
    return Watched(tmp_path)


async def test_before_the_start_there_is_nothing_to_look_at() -> None:
    assert (await AuthorityCheck().look()).state is State.HEALTHY


async def test_mitmproxys_own_ca(tmp_path: Path) -> None:
    CertStore.create_store(tmp_path, "mitmproxy", 1024)
    watched = Watched(tmp_path)
    watched.check = AuthorityCheck()
    watched.check.follow(watched.key, watched.certificate, lambda: True)
    found = await watched.check.look()
    assert found.state is State.HEALTHY
    assert found.message.startswith("The CA is valid until 20")


async def test_its_end_comes_and_is_over(ca: Watched) -> None:
    states = [(await ca.found(days)).state for days in (0, 3619, 3621, 3649.9, 3650, 4000)]
    healthy, degraded, unhealthy = State.HEALTHY, State.DEGRADED, State.UNHEALTHY
    assert states == [healthy, healthy, degraded, degraded, unhealthy, unhealthy]
    assert "expired on 2036-" in (await ca.found(4000)).message


async def test_where_no_client_trusts_it_an_end_stops_nothing(ca: Watched) -> None:
    ca.needed = False
    assert (await ca.found(4000)).state is State.DEGRADED


async def test_a_clock_before_its_beginning(ca: Watched) -> None:
    found = await ca.found(-3)
    assert (found.state, "clock" in found.message) == (State.DEGRADED, True)


@pytest.mark.parametrize("name", ["key", "certificate"])
async def test_a_file_that_is_gone_comes_back(ca: Watched, name: str) -> None:
    file: Path = getattr(ca, name)
    data = file.read_bytes()
    await ca.found()
    file.unlink()
    found = await ca.found()
    assert (found.state, f"{file} is missing" in found.message) == (State.DEGRADED, True)
    file.write_bytes(data)
    assert (await ca.found()).state is State.HEALTHY


@pytest.mark.parametrize("name", ["key", "certificate"])
@pytest.mark.parametrize("data", [b"", b"garbage", b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"])
async def test_a_file_that_cannot_be_used(ca: Watched, name: str, data: bytes) -> None:
    file: Path = getattr(ca, name)
    file.write_bytes(data)
    found = await ca.found()
    assert found.state is State.DEGRADED
    assert str(file) in found.message


async def test_a_key_file_whose_certificate_is_broken_is_the_one_named(ca: Watched) -> None:
    text = ca.key.read_bytes()
    ca.key.write_bytes(text[: text.index(b"-----BEGIN CERTIFICATE")])
    found = await ca.found()
    assert found.message == f"{ca.key} holds no certificate that can be read."


@pytest.mark.skipif(os.name == "nt", reason="a folder in the place of a file")
async def test_a_file_that_cannot_be_read(ca: Watched) -> None:
    ca.certificate.unlink()
    ca.certificate.mkdir()
    found = await ca.found()
    assert found.message == f"{ca.certificate} can't be read: Is a directory."


async def test_another_ca_than_at_the_start(ca: Watched, tmp_path: Path) -> None:
    first = ca.key.read_bytes(), ca.certificate.read_bytes()
    await ca.found()
    make(tmp_path)
    found = await ca.found()
    assert (found.state, "restart the proxy" in found.message) == (State.DEGRADED, True)
    ca.key.write_bytes(first[0])
    found = await ca.found()
    assert (found.state, "is not the certificate of" in found.message) == (State.DEGRADED, True)
    ca.certificate.write_bytes(first[1])
    assert (await ca.found()).state is State.HEALTHY
    assert "PRIVATE" not in found.message
