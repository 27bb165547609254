"""Folders become placeholders, and placeholders those of another run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.recording.masked import Masked
from hunyuan_fix.recording.places import Folders, Places
from tests.growth import grows_linearly

RECORDED = Folders("/tmp/rec/my work", "/home/ann", "/tmp", {})
REPLAYED = Folders("/srv/other", "/Users/bob", "/var/folders/x", {})
BELOW_HOME = Folders("/home/ann/src/app", "/home/ann", "/tmp", {"cwd": "/private/home/ann/src/app"})


def moved(text: str, recorded: Folders = RECORDED, replayed: Folders = REPLAYED) -> str:
    return Places(replayed).put_back(Places(recorded).taken_out(text))


def restored(folders: Folders, kept: dict[str, Any]) -> dict[str, Any]:
    return Masked(Places(folders)).restored(kept, {})


PIECES = st.sampled_from(
    [
        *("/tmp/rec/my work", "/tmp", "/home/ann", "/home/ann/src/app", "~/src/app", "/private/home/ann/src/app"),
        *(
            "-tmp-rec-my-work",
            "-home-ann-src-app",
            "/tmp/rec/my%20work",
            "⟦cwd⟧",
            "⟦",
            "⟧",
            "lit",
            "⟦lit⟧",
            "/",
            ".",
            "a",
        ),
        *(" ", '"', "\\", "é", "\n", "-", "~"),
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join)


@given(TEXTS, st.sampled_from([RECORDED, BELOW_HOME, Folders("", "", "", {}), Folders("/", "/", "/", {})]))
def test_what_is_put_back_where_it_was_recorded_is_the_text(text: str, folders: Folders) -> None:
    places = Places(folders)
    assert places.put_back(places.taken_out(text)) == text


@given(TEXTS)
def test_no_folder_is_left(text: str) -> None:
    recorded = Places(RECORDED).taken_out(f"{text} /tmp/rec/my work/a.txt")
    assert recorded.endswith(" ⟦cwd⟧/a.txt")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/tmp/rec/my work/a.txt", "/srv/other/a.txt"),
        ("cat '/tmp/rec/my work'", "cat '/srv/other'"),
        ("file:///tmp/rec/my%20work/a", "file:///srv/other/a"),
        ("in /tmp/rec/my work.", "in /srv/other."),
        ("/tmp/x.log", "/var/folders/x/x.log"),
        ("~/.claude/projects/-tmp-rec-my-work/memory", "~/.claude/projects/-srv-other/memory"),
        ("/home/ann/.config", "/Users/bob/.config"),
        # Not these folders
        ("/tmp/rec/my workshop", "/var/folders/x/rec/my workshop"),
        ("/opt/tmp/x", "/opt/tmp/x"),
        ("/tmpfiles", "/tmpfiles"),
        ("/home/ann.bak", "/home/ann.bak"),
        ("./tmp/x", "./tmp/x"),
        ("${ROOT}/tmp/x", "${ROOT}/tmp/x"),
        ("/home/anna", "/home/anna"),
    ],
)
def test_each_spelling(text: str, expected: str) -> None:
    assert moved(text) == expected


def test_a_folder_below_the_users_own() -> None:
    for spelt in ("~/src/app/x", "/home/ann/src/app/x", "/private/home/ann/src/app/x"):
        assert moved(spelt, BELOW_HOME) == "/srv/other/x"
    there = Folders("/Users/bob/app", "/Users/bob", "/tmp", {})
    assert moved("~/src/app/x ~/y", BELOW_HOME, there) == "~/app/x ~/y"


def test_windows_folders_move_between_each_other() -> None:
    recorded = Folders("C:\\Users\\ann\\app", "C:\\Users\\ann", "C:\\Temp", {})
    replayed = Folders("D:\\work", "D:\\Users\\bob", "D:\\Temp", {})
    assert moved("C:\\Users\\ann\\app\\a.txt C:/Users/ann/app/b", recorded, replayed) == "D:\\work\\a.txt D:/work/b"
    arguments = json.dumps({"path": "C:\\Users\\ann\\app\\a.txt"})
    made = restored(replayed, {"arguments": Masked(Places(recorded)).text(arguments)})
    assert json.loads(made["arguments"]) == {"path": "D:\\work\\a.txt"}


@pytest.mark.parametrize("cwd", ['/tmp/qu"ote', "/tmp/back\\slash", "/tmp/é", "/tmp/plain", "/tmp/new\nline"])
@pytest.mark.parametrize("there", ['/srv/qu"ote', "/srv/back\\slash", "/srv/é", "/srv/plain"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_arguments_stay_json(cwd: str, there: str, ascii_only: bool) -> None:
    recorded, replayed = Folders(cwd, "/root", "/tmp", {}), Folders(there, "/root", "/tmp", {})
    call = {"function": {"name": "Write", "arguments": json.dumps({"path": f"{cwd}/a"}, ensure_ascii=ascii_only)}}
    kept = Masked(Places(recorded)).value(call)
    assert "tmp" not in json.dumps(kept)
    made = restored(replayed, kept)
    assert json.loads(made["function"]["arguments"]) == {"path": f"{there}/a"}


def test_a_call_whose_arguments_are_an_object() -> None:
    kept = Masked(Places(RECORDED)).value({"type": "tool_use", "input": {"path": "/tmp/rec/my work/a"}})
    there = restored(Folders('/srv/qu"ote', "/root", "/tmp", {}), kept)
    assert there["input"] == {"path": '/srv/qu"ote/a'}


def test_the_root_is_no_place() -> None:
    assert Places(Folders("/", "/", "/tmp", {})).taken_out("/etc/passwd /") == "/etc/passwd /"


@pytest.mark.parametrize("piece", ["/tmp", "/tmp/rec/my wor", "⟦", "~/", "-tmp-rec-my-", "a"])
def test_time_is_linear(piece: str) -> None:
    places = Places(RECORDED)
    assert grows_linearly(lambda size: places.put_back(places.taken_out(piece * (size // len(piece)))), 60_000)
