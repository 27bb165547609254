"""The proxy's CA: whole, made once, by one process at a time. Whole proxies at once: end_to_end/test_run.py."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mitmproxy.certs import CertStore

from hunyuan_fix.hooks import authority
from tests.end_to_end.processes import ROOT

PUBLIC = ("ca-cert.pem", "ca-cert.cer", "ca-cert.p12")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a CA, made here. Not to be changed."""
    confdir = tmp_path_factory.mktemp("authority") / "deep" / "confdir"
    authority.ensure(confdir, 1024)
    return confdir


def key_bytes(confdir: Path) -> bytes:
    return authority.key_file(confdir).read_bytes()


def assert_is_whole(confdir: Path) -> None:
    """mitmproxy can read it, key and certificates belong together, and nothing is left beside it."""
    CertStore.from_files(authority.key_file(confdir), confdir / "mitmproxy-dhparam.pem")
    key, certificate = load_pem_private_key(key_bytes(confdir), None), authority.ca_file(confdir).read_bytes()
    assert x509.load_pem_x509_certificate(key_bytes(confdir)) == x509.load_pem_x509_certificate(certificate)
    assert key.public_key() == x509.load_pem_x509_certificate(certificate).public_key()
    assert not [file.name for file in confdir.iterdir() if file.name.startswith(".")]


def test_it_is_what_mitmproxy_itself_would_make(made: Path, tmp_path: Path):
    assert_is_whole(made)
    CertStore.create_store(tmp_path, authority.NAME, 1024)
    assert {file.name for file in made.iterdir()} - {"hunyuan-fix-ca.lock"} == {
        file.name for file in tmp_path.iterdir()
    }
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert {name: stat.S_IMODE((made / name).stat().st_mode) for name in modes} == modes
    assert modes["mitmproxy-ca.pem"] == 0o600


def test_one_that_is_there_is_left_alone(made: Path):
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ino) for file in made.iterdir()}
    authority.ensure(made)
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ino) for file in made.iterdir()} == before


def copied(made: Path, confdir: Path, change: Callable[[bytes], bytes]) -> None:
    """The CA of `made` in `confdir`, its key file changed."""
    for name in PUBLIC:
        (confdir / f"mitmproxy-{name}").write_bytes((made / f"mitmproxy-{name}").read_bytes())
    authority.key_file(confdir).write_bytes(change(key_bytes(made)))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 0.98))
@example(share=0.0)
@example(share=0.005)
def test_what_a_killed_process_left_is_set_aside(
    made: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, share: float
):
    monkeypatch.setattr(authority, "_WRITING", 0.0)
    confdir = tmp_path_factory.mktemp("torn")
    copied(made, confdir, lambda whole: whole[: int(len(whole) * share)])
    torn = key_bytes(confdir)
    (confdir / ".hunyuan-fix-new-ca").mkdir()
    (confdir / ".hunyuan-fix-new-ca" / "mitmproxy-ca.pem").write_bytes(torn)
    authority.ensure(confdir, 1024)
    assert_is_whole(confdir)
    assert (confdir / "mitmproxy-ca.pem.incomplete").read_bytes() == torn
    assert authority.ca_file(confdir).read_bytes() != authority.ca_file(made).read_bytes()


def test_a_file_that_is_just_being_written_is_waited_for(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    copied(made, tmp_path, lambda whole: whole[:100])
    # What another process does meanwhile.
    monkeypatch.setattr("hunyuan_fix.hooks.authority.time.sleep", lambda _: copied(made, tmp_path, lambda whole: whole))
    authority.ensure(tmp_path)
    assert key_bytes(tmp_path) == key_bytes(made)
    assert not list(tmp_path.glob("*.incomplete"))


@pytest.mark.parametrize("moves", range(7))
def test_a_process_that_dies_while_it_moves_leaves_no_half_ca(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: int
):
    """mitmproxy takes the key file for the whole CA."""
    left, replace = iter(range(moves)), Path.replace

    def dying(file: Path, target: Path) -> Path:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return replace(file, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", dying)
        with suppress(KeyboardInterrupt):
            authority.ensure(tmp_path, 1024)
    if authority.key_file(tmp_path).exists():
        assert_is_whole(tmp_path)
    authority.ensure(tmp_path, 1024)
    assert_is_whole(tmp_path)


@pytest.mark.parametrize("missing", [b"", None, b"-----BEGIN CERTIFICATE-----\nMII"])
def test_a_certificate_that_lacks_is_written_again(made: Path, tmp_path: Path, missing: bytes | None):
    copied(made, tmp_path, lambda whole: whole)
    (tmp_path / "mitmproxy-dhparam.pem").write_bytes((made / "mitmproxy-dhparam.pem").read_bytes())
    if missing is None:
        authority.ca_file(tmp_path).unlink()
    else:
        authority.ca_file(tmp_path).write_bytes(missing)
    authority.ensure(tmp_path)
    assert key_bytes(tmp_path) == key_bytes(made)
    assert_is_whole(tmp_path)


@pytest.mark.parametrize("text", [b"my own notes", b"\x30\x82\x01"])
def test_what_is_no_ca_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes):
    monkeypatch.setattr(authority, "_WRITING", 0.0)
    authority.key_file(tmp_path).write_bytes(text)
    with pytest.raises(ValueError, match="holds no CA"):
        authority.ensure(tmp_path)
    assert key_bytes(tmp_path) == text


ENSURE = """
import sys, time
from pathlib import Path
from hunyuan_fix.hooks import authority
confdir, go = map(Path, sys.argv[1:])
print("ready", flush=True)
while not go.exists():
    time.sleep(0.001)
authority.ensure(confdir, 1024)
print(hash_of(authority.key_file(confdir)), hash_of(authority.ca_file(confdir)))
""".replace("hash_of(", "__import__('hashlib').sha256(").replace("(confdir))", "(confdir).read_bytes()).hexdigest()")


@pytest.mark.process
def test_of_ten_at_once_one_makes_it(tmp_path: Path):
    for turn in range(2):
        confdir, go = tmp_path / str(turn), tmp_path / f"go {turn}"
        command = [sys.executable, "-c", ENSURE, str(confdir), str(go)]
        processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(10)]
        for process in processes:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        go.touch()
        assert len({process.communicate(timeout=60)[0] for process in processes}) == 1
        assert {process.returncode for process in processes} == {0}
        assert_is_whole(confdir)


HOLD = """
import sys
from pathlib import Path
from hunyuan_fix.hooks import authority
with authority._alone(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.process
def test_the_lock_of_a_killed_process_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    command = [sys.executable, "-c", HOLD, str(tmp_path / "hunyuan-fix-ca.lock")]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with monkeypatch.context() as patched:
            patched.setattr(authority, "_PATIENCE", 0.0)
            with (tmp_path / "hunyuan-fix-ca.lock").open("ab") as file:
                assert not authority._locked(file)
            authority.ensure(tmp_path / "other", 1024)  # another folder's
        holder.kill()
        holder.wait()
    authority.ensure(tmp_path, 1024)
    assert_is_whole(tmp_path)
