"""`--help` of every script, in a clone that has no environment, no Python and no pip."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.lib import help as helps

ROOT = Path(__file__).resolve().parents[2]
DOORS = sorted(path.name for path in (ROOT / "scripts").iterdir() if path.is_file())


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a fresh clone, and beside it a PATH that holds bash and dirname."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "scripts", folder / "repository" / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder / "repository")
    (folder / "bin").mkdir()
    for program in ("bash", "dirname"):
        (folder / "bin" / program).symlink_to(shutil.which(program) or program)
    return folder


def ask(clone: Path, name: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(clone / "bin" / "bash"), str(clone / "repository" / "scripts" / name), *arguments],
        cwd=clone,
        env={
            "PATH": str(clone / "bin"),
            "HOME": str(clone / "home"),
            "LC_ALL": "C.UTF-8",
            "HUNYUAN_FIX_VENV": str(clone / "none"),
            **variables,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )


def files(clone: Path) -> set[Path]:
    return set(clone.rglob("*"))


@pytest.mark.parametrize("asked", [("--help",), ("-h",), ("--an-option", "--help")], ids=" ".join)
@pytest.mark.parametrize("name", DOORS)
def test_help_needs_no_environment_and_makes_no_file(clone: Path, name: str, asked: tuple[str, ...]) -> None:
    before = files(clone)
    done = ask(clone, name, *asked)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == helps.kept(name)
    assert files(clone) == before


def test_help_of_a_command_of_a_script(clone: Path) -> None:
    assert ask(clone, "token", "add", "--help").stdout == helps.kept("token-add")
    assert ask(clone, "token", "nonsense", "--help").stdout == helps.kept("token")


@pytest.mark.parametrize("arguments", [(), ("--", "--help")], ids=["without", "after --"])
def test_without_being_asked_for_help_it_sets_up(clone: Path, arguments: tuple[str, ...]) -> None:
    """Here it can't: there is no Python."""
    done = ask(clone, "soak", *arguments)
    assert done.returncode != 0
    assert "usage: scripts/soak" not in done.stdout


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({"LC_ALL": "zh_CN.UTF-8"}, "zh"),
        ({"HUNYUAN_LANGUAGE": "zh"}, "zh"),
        ({"LC_ALL": "zh_CN.UTF-8", "HUNYUAN_LANGUAGE": "en"}, "en"),
    ],
)
def test_help_in_the_users_language(clone: Path, variables: dict[str, str], language: str) -> None:
    assert ask(clone, "run", "--help", **variables).stdout == helps.kept("run", language)
    assert ask(clone, "token", "add", "-h", **variables).stdout == helps.kept("token-add", language)
    assert ask(clone, "token", "nonsense", "-h", **variables).stdout == helps.kept("token", language)
    assert ask(clone, "soak", "--help", **variables).stdout == helps.kept("soak")  # which has no Chinese


@pytest.mark.parametrize(("name", "language"), sorted(helps.files()))
def test_the_kept_text_is_what_the_command_says(name: str, language: str) -> None:
    """If not: `python -m scripts.lib.help` writes it anew."""
    assert helps.words(helps.kept(name, language)) == helps.words(helps.made(name, language))


def test_every_script_has_a_text() -> None:
    english = {path.stem for path in helps.FOLDER.glob("*.txt") if path.suffixes == [".txt"]}
    assert {*DOORS, "token-add", "token-list", "token-remove"} == english
    assert {path.name for path in helps.FOLDER.glob("*.zh.txt")} == {
        helps.file_of(name, language).name for name, language in helps.files() if language == "zh"
    }
    assert {*DOORS} <= {*helps.COMMANDS, "test"}


def test_words_are_those_of_every_python_version() -> None:
    assert helps.words("-o FILE, --output FILE\n   it") == helps.words("-o,  --output FILE it")
