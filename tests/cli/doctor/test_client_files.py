"""Settings files of clients: found where clients look, read as they read, and changed in one place only."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.cli.doctor import client_files
from hunyuan_fix.cli.doctor.client_files import Broken, ClientFile, Keys

CLAUDE, CODEX, OPENCODE = (client_files.clients()[name] for name in ("claude-code", "codex", "opencode"))

JSONC = """\
{
  // "baseURL": "https://one.example/v1"
  "provider": {
    "a": { "options": { "baseURL": "https://one.example/v1", }, }, /* "https://one.example/v1" */
    "b": { "options": { "baseURL": "https://one.example/v1" } },
  },
}
"""
TOML = """\
# base_url = "https://one.example/v1"
model_provider = "b"

[model_providers.a]
base_url = "https://one.example/v1"  # keep me

[model_providers.b]
base_url = 'https://one.example/v1'
"""


def read(client: client_files.Client, text: str) -> ClientFile:
    return ClientFile(client, Path("f"), text, client.parse(text))


def test_files_are_looked_for_where_clients_look(tmp_path: Path) -> None:
    home, project, other = tmp_path / "home", tmp_path / "project", tmp_path / "other"
    wanted = [home / ".claude/settings.json", project / ".claude/settings.local.json"]
    for path in (*wanted, other / "settings.json", home / ".config/opencode/opencode.json", other / "own.json"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    given = {"HOME": str(home)}
    assert [*CLAUDE.paths(given, project)] == wanted
    assert [*CLAUDE.paths({**given, "CLAUDE_CONFIG_DIR": str(other)}, project)] == [other / "settings.json", wanted[1]]
    found = [*OPENCODE.paths({**given, "OPENCODE_CONFIG": str(other / "own.json")}, project)]
    assert found == [home / ".config/opencode/opencode.json", other / "own.json"]


@pytest.mark.parametrize(
    ("text", "keys", "line"),
    [
        (JSONC, ("provider", "a", "options", "baseURL"), 4),
        (JSONC, ("provider", "b", "options", "baseURL"), 5),
        (TOML, ("model_providers", "a", "base_url"), 5),
        (TOML, ("model_providers", "b", "base_url"), 8),
    ],
)
def test_one_value_is_changed_and_all_else_stays(text: str, keys: Keys, line: int) -> None:
    file = read(CODEX if text is TOML else OPENCODE, text)
    changed = file.with_text(keys, "https://two.example/v1")
    assert file.line_of(keys) == line
    assert changed
    before, after = text.splitlines(), changed.splitlines()
    differing = [number for number, pair in enumerate(zip(before, after, strict=True), 1) if pair[0] != pair[1]]
    assert differing == [line]
    assert "https://two.example/v1" in after[line - 1]
    assert [*read(file.client, changed).strings("/".join(map(str, keys)))] == [(keys, "https://two.example/v1")]


def test_a_text_over_several_lines_is_not_touched() -> None:
    file = read(CODEX, '[model_providers.a]\nbase_url = """\nhttps://one.example/v1"""\n')
    assert file.with_text(("model_providers", "a", "base_url"), "x") is None
    assert file.line_of(("model_providers", "a", "base_url")) is None


@given(
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), st.text(max_size=6), max_size=5),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.booleans(),
)
def test_whatever_a_file_holds_only_the_value_changes(others: dict[str, str], old: str, new: str, ascii_: bool) -> None:
    data = {"env": {**others, "ANTHROPIC_BASE_URL": old}, "more": [old, {"ANTHROPIC_BASE_URL": old}]}
    file = read(CLAUDE, json.dumps(data, ensure_ascii=ascii_, indent=2))
    changed = file.with_text(("env", "ANTHROPIC_BASE_URL"), new)
    assert changed
    data["env"]["ANTHROPIC_BASE_URL"] = new  # type: ignore[index]
    assert json.loads(changed) == data


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("claude-code", '{\n  "env": {\n    "A": "1"\n    "B": "2"\n  }\n}', 4),
        ("claude-code", '{\n  // no comments here\n  "env": {}\n}', 2),
        ("claude-code", "[]", 1),
        ("claude-code", "[" * 100_000, 1),
        ("opencode", '{\n  /* " */ "a": 1\n  "b": 2\n}', 3),
        ("codex", 'a = 1\nb = "open\n', 2),
        ("codex", "a = 1\n[b\n", 2),
    ],
)
def test_a_broken_file_has_its_line(name: str, text: str, line: int) -> None:
    with pytest.raises(Broken) as broken:
        client_files.clients()[name].parse(text)
    assert broken.value.line == line


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_bytes(b'{\n"a": "\xff"}')
    with pytest.raises(Broken) as broken:
        client_files.read(CLAUDE, file)
    assert broken.value.line == 2
    file.write_bytes(b'\xef\xbb\xbf{"a": "b"}')  # as editors on Windows write it
    assert client_files.read(CLAUDE, file).data == {"a": "b"}
    file.write_bytes(b" " * (client_files.MAX_SIZE + 1))
    with pytest.raises(OSError, match="too large"):
        client_files.read(CLAUDE, file)


def test_comments_keep_their_room() -> None:
    text = '{\n"a": "// no /* comment */", // one, \n"b": [1, 2, /* ,] */ ], }'
    assert OPENCODE.parse(text) == {"a": "// no /* comment */", "b": [1, 2]}
    assert tomllib.loads(TOML)  # the example is TOML as it is


@pytest.mark.parametrize(("client", "text"), [(CODEX, TOML), (OPENCODE, JSONC)])
def test_half_a_character_is_written_into_no_file(client: client_files.Client, text: str) -> None:
    file = read(client, text)
    place = ("model_providers", "a", "base_url") if client is CODEX else ("provider", "a", "options", "baseURL")
    assert file.with_text(place, "https://\ud83d") is None
    assert file.with_text(place, "https://\N{GRINNING FACE}") is not None
