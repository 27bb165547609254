"""`scripts/token`: what it writes lets a client in, and nothing else of the file changes."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hunyuan_fix import options
from hunyuan_fix.access.client_tokens import Client, ClientTokens, digest_of, parse
from hunyuan_fix.cli import token as tokens
from hunyuan_fix.cli.token import Refused
from hunyuan_fix.config.values import data_folder
from tests.cli.shell_environment import environment, run


def script(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run("token", *arguments, given=environment(home, XDG_DATA_HOME=str(home / "data")))


def owner(path: Path, token: str) -> Client | None:
    """Whose token it is, as the proxy reads the file."""
    return ClientTokens().configured(replace(options.parse({}), client_tokens_file=path)).owner(token)


def test_a_token_is_printed_once_and_lets_its_client_in(tmp_path: Path):
    added = script(tmp_path, "add", "alice", "--requests-per-minute", "60", "--tokens-per-minute", "0")
    path = tmp_path / "data/hunyuan-fix/clients.toml"
    token = added.stdout.removesuffix("\n")
    assert re.fullmatch(r"hf-[A-Za-z0-9_-]{43}", token)
    assert owner(path, token) == Client("alice", digest_of(token), 60, 0)
    assert token not in added.stderr
    assert f"--set hunyuan_client_tokens_file={path}" in added.stderr
    assert token not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    listed = script(tmp_path, "list")
    assert listed.stdout == "alice  60 requests a minute, any number of tokens a minute\n"
    removed = script(tmp_path, "remove", "alice")
    assert (removed.returncode, removed.stdout) == (0, "")
    assert owner(path, token) is None
    assert script(tmp_path, "list").stdout == f"No client has a token in {path}\n"


def test_the_default_file_is_where_the_options_look_for_data(tmp_path: Path):
    given = tokens.command_line("scripts/").parse_args(["list"])
    assert given.file == data_folder() / "clients.toml"


@pytest.mark.parametrize("name", ["", "a.b", "a b", "a/b", "ä", "x" * 65, 'a"', "a]"])
def test_a_bad_name_is_a_usage_error(tmp_path: Path, name: str):
    with pytest.raises(SystemExit) as ended:
        tokens.command_line("scripts/").parse_args(["add", name])
    assert ended.value.code == 2


@pytest.mark.parametrize("limit", ["-1", "1.5", "many", "", "1_000", "٣"])
def test_a_bad_limit_is_a_usage_error(limit: str):
    with pytest.raises(SystemExit) as ended:
        tokens.command_line("scripts/").parse_args(["add", "alice", "--tokens-per-minute", limit])
    assert ended.value.code == 2


def test_what_cannot_be_done_is_said_and_changes_nothing(tmp_path: Path):
    file = tmp_path / "clients.toml"
    script(tmp_path, "add", "alice", "--file", str(file))
    before = file.read_bytes()
    again = script(tmp_path, "add", "alice", "--file", str(file))
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith("scripts/token: alice has a token already.")
    missing = script(tmp_path, "remove", "bob", "--file", str(file))
    assert (missing.returncode, missing.stderr) == (1, f"scripts/token: bob has no token in {file}\n")
    assert file.read_bytes() == before
    assert os.listdir(tmp_path) == ["clients.toml"]


def test_a_file_that_others_can_read_or_that_is_wrong_is_left_alone(tmp_path: Path):
    file = tmp_path / "clients.toml"
    tokens.add(file, "alice", None, None)
    file.chmod(0o644)
    with pytest.raises(Refused, match=f"chmod 600 {file}$"):
        tokens.add(file, "bob", None, None)
    file.chmod(0o600)
    file.write_text("[clients.alice]\n")
    with pytest.raises(Refused, match="client alice: hash"):
        tokens.listed(file)


HAND_WRITTEN = f"""\
# My clients

[clients.alice] # at home
hash = "sha256:{"a" * 64}"
# half of what I have
requests_per_minute = 30

# the office
[clients.bob]
hash = "sha256:{"b" * 64}"
disabled = true"""


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_what_a_person_wrote_stays_as_it_is(tmp_path: Path):
    file = written(tmp_path / "clients.toml", HAND_WRITTEN)
    token = tokens.add(file, "carol", None, 5)
    added = f'\n\n[clients.carol]\nhash = "sha256:{digest_of(token).hex()}"\ntokens_per_minute = 5\n'
    assert file.read_text() == HAND_WRITTEN + added
    assert tokens.listed(file) == [
        "alice  30 requests a minute",
        "bob    disabled",
        "carol  5 tokens a minute",
    ]
    tokens.remove(file, "alice")
    assert file.read_text() == "# My clients\n\n" + HAND_WRITTEN[HAND_WRITTEN.index("\n# the office") :] + added
    tokens.remove(file, "carol")
    tokens.remove(file, "bob")
    assert parse(file.read_text()) == ()
    assert "# the office" in file.read_text()


@pytest.mark.parametrize(
    "text",
    [
        f'clients = {{ alice = {{ hash = "sha256:{"a" * 64}" }} }}\n',
        f'[clients]\nalice = {{ hash = "sha256:{"a" * 64}" }}\n',
        f'[ clients . "alice" ]\nhash = "sha256:{"a" * 64}"\n',
    ],
)
def test_what_is_written_in_another_way_is_left_to_its_writer(tmp_path: Path, text: str):
    file = written(tmp_path / "clients.toml", text)
    with pytest.raises(Refused, match="by hand"):
        tokens.remove(file, "alice")
    assert file.read_text() == text


def test_a_table_that_cannot_be_added_to_is_left_alone(tmp_path: Path):
    text = f'clients = {{ alice = {{ hash = "sha256:{"a" * 64}" }} }}\n'
    file = written(tmp_path / "clients.toml", text)
    with pytest.raises(Refused, match=r"can't change .*: change it by hand"):
        tokens.add(file, "bob", None, None)
    assert file.read_text() == text


NAMES = st.text("abc-_019", min_size=1, max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.tuples(NAMES, st.none() | st.integers(0, 99)), unique_by=lambda entry: entry[0]), st.data())
def test_adding_and_removing_touch_no_other_client(
    tmp_path: Path, entries: list[tuple[str, int | None]], data: st.DataObject
):
    file = tmp_path / "any.toml"
    file.unlink(missing_ok=True)
    made = {name: tokens.add(file, name, limit, None) for name, limit in entries}
    left = [Client(name, digest_of(made[name]), limit) for name, limit in entries]
    for name in data.draw(st.permutations(list(made))):
        assert parse(file.read_text()) == tuple(left)
        tokens.remove(file, name)
        left = [client for client in left if client.name != name]
    assert not left


def test_behind_a_link_the_file_itself_is_replaced(tmp_path: Path):
    real, link = tmp_path / "real.toml", tmp_path / "link.toml"
    link.symlink_to(real)
    tokens.add(link, "alice", None, None)
    assert link.is_symlink()
    assert [client.name for client in parse(real.read_text())] == ["alice"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_root_takes_no_file_from_its_owner(tmp_path: Path):
    file = written(tmp_path / "clients.toml", "")
    tokens.write(file, HAND_WRITTEN, expected=parse(HAND_WRITTEN))
    os.chown(file, 12345, 23456)
    tokens.write(file, "", expected=())
    assert (file.stat().st_uid, file.stat().st_gid) == (12345, 23456)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(Refused, match="can't be written: "):
        tokens.add(blocked / "clients.toml", "alice", None, None)
