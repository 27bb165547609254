"""The user's own folder of profiles, as the option names it or as it is found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hunyuan_fix import options, profile_folder, profiles
from hunyuan_fix.config.option import OptionError
from hunyuan_fix.profile_folder import ProfileFolder

MINE = 'extends = "tokenhub"\nhosts = ["mine.example"]\n'


@pytest.fixture(autouse=True)
def _shipped_alone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(profile_folder, "default_folder", lambda: tmp_path / "default")
    yield
    options.parse({"hunyuan_profiles": str(tmp_path)} if not list(tmp_path.glob("*.toml")) else {})
    monkeypatch.undo()
    options.parse({})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "mine"
    made.mkdir()
    return made


def parse(folder: Path, **given: str) -> options.Settings:
    return options.parse(
        {"hunyuan_profiles": str(folder)} | {f"hunyuan_{name}": value for name, value in given.items()}
    )


def test_its_profiles_can_be_named_in_other_options(folder: Path) -> None:
    (folder / "mine.toml").write_text(MINE)
    settings = parse(folder, profile="mine", hosts="localhost=mine")
    assert (settings.profiles, settings.profile) == (folder, "mine")
    assert profiles.at("mine.example") == "mine"
    options.parse({})
    assert profiles.at("mine.example") is None
    with pytest.raises(OptionError):
        options.parse({"hunyuan_profile": "mine"})


def test_the_usual_folder_is_read_if_it_exists(tmp_path: Path) -> None:
    assert options.parse({}).profiles is None
    (tmp_path / "default").mkdir()
    (tmp_path / "default" / "mine.toml").write_text(MINE)
    assert options.parse({}).profiles == tmp_path / "default"
    assert "mine" in profiles.names()


def test_a_folder_that_is_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"^hunyuan_profiles=.*nowhere: accepted is a folder that exists"):
        parse(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(OptionError):
        parse(tmp_path / "file")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a =", "mine.toml: is no TOML"),
        (f'{MINE}signer = "beerer"\n', "mine.toml: signer: there is no 'beerer'; did you mean bearer?"),
        (f'{MINE}dialect = "opnai"\n', "mine.toml: dialect: there is no 'opnai'; did you mean openai?"),
        (f'{MINE}speaks = ["antropic"]\n', "mine.toml: speaks: there is no 'antropic'; did you mean anthropic?"),
        (f"{MINE}[native.anthropics]\n", "mine.toml: native: there is no 'anthropics'; did you mean anthropic?"),
        ('extends = "tokenhub"\nhosts = ["api.moonshot.cn"]\n', "api.moonshot.cn is in two profiles"),
    ],
)
def test_a_bad_file_changes_nothing(folder: Path, text: str, said: str) -> None:
    (folder / "good.toml").write_text('extends = "tokenhub"\nhosts = ["good.example"]\n')
    parse(folder)
    before = profiles.load("good")
    (folder / "mine.toml").write_text(text)
    for _ in range(2):  # it isn't taken for read the second time
        with pytest.raises(OptionError) as found:
            parse(folder)
        assert str(found.value).startswith(f"hunyuan_profiles={folder}: ")
        assert said in str(found.value)
    assert profiles.at("good.example") == "good"
    assert profiles.load("good").hosts == before.hosts
    (folder / "mine.toml").write_text(MINE)
    parse(folder)
    assert profiles.at("mine.example") == "mine"


def test_files_are_read_again_only_if_one_has_changed(folder: Path) -> None:
    file = folder / "mine.toml"
    file.write_text(MINE)
    parse(folder)
    before = profiles.load("mine")
    parse(folder)
    assert profiles.load("mine") is before
    (folder / "notes.txt").touch()
    parse(folder)
    assert profiles.load("mine") is before
    file.write_text(f"{MINE}concurrency = 7\n")
    parse(folder)
    assert profiles.load("mine").concurrency == 7
    (folder / "families").mkdir()
    (folder / "families" / "toys.toml").write_text('[toy]\nids = ["toy"]\noutput = 9\n')
    parse(folder)
    assert profiles.load("mine").model("toy").output == 9
    file.unlink()
    parse(folder)
    assert "mine" not in profiles.names()


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "mine.toml").mkdir()
    with pytest.raises(OptionError, match=r"mine\.toml: can't be read"):
        parse(folder)


async def test_a_file_that_changes_is_read_again(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="hunyuan_fix")
    applied: list[Path] = []

    def apply() -> None:
        applied.append(folder)
        parse(folder)

    file = folder / "mine.toml"
    file.write_text(MINE)
    watched = ProfileFolder(apply)
    watched.follow(parse(folder).profiles)
    for _ in range(3):
        await watched.look()
    assert applied == []
    file.write_text(f"{MINE}concurrency = 7\n")
    await watched.look()
    assert applied == [], "it may be half written"
    await watched.look()
    assert profiles.load("mine").concurrency == 7
    file.write_text("a =")
    for _ in range(4):
        await watched.look()
    assert len(applied) == 2, "what is refused is refused once"
    assert profiles.load("mine").concurrency == 7
    assert "mine.toml: is no TOML" in caplog.text
    assert "The profiles are unchanged." in caplog.text
    file.write_text(f"{MINE}concurrency = 8\n")
    for _ in range(3):
        await watched.look()
    assert profiles.load("mine").concurrency == 8
    assert len(applied) == 3


async def test_the_usual_folder_may_be_made_later(tmp_path: Path) -> None:
    watched = ProfileFolder(lambda: watched.follow(options.parse({}).profiles))
    watched.follow(options.parse({}).profiles)
    await watched.look()
    (tmp_path / "default").mkdir()
    (tmp_path / "default" / "mine.toml").write_text(MINE)
    for _ in range(3):
        await watched.look()
    assert profiles.at("mine.example") == "mine"
    (tmp_path / "default" / "mine.toml").unlink()
    (tmp_path / "default").rmdir()
    for _ in range(3):
        await watched.look()
    assert profiles.at("mine.example") is None


async def test_what_an_option_has_read_already_is_not_read_again(folder: Path) -> None:
    applied: list[int] = []
    watched = ProfileFolder(lambda: applied.append(1))
    watched.follow(parse(folder).profiles)
    (folder / "mine.toml").write_text(MINE)
    parse(folder)
    for _ in range(3):
        await watched.look()
    assert applied == []
