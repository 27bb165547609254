"""deploy/Dockerfile: what hadolint says, and that what it copies, runs and asks is there. No Docker builds it here."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hunyuan_fix.observe.admin.settings import PORT as ADMIN_PORT
from tests.deploy import deployments as read
from tests.deploy.programs import BIN, ROOT, judged

TEXT = read.DOCKERFILE.read_text("utf-8")
IGNORED = read.DOCKERFILE.with_name("Dockerfile.dockerignore").read_text("utf-8").splitlines()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def every(word: str) -> list[str]:
    return [rest for each, rest in read.instructions(TEXT) if each == word]


def test_hadolint_finds_nothing() -> None:
    assert judged(BIN / "hadolint", "--failure-threshold", "style", read.DOCKERFILE) == ""


def is_sent(path: str) -> bool:
    """Whether a file of the clone is part of what is built from: the last pattern that fits it decides."""
    sent = True
    for pattern in IGNORED:
        if pattern and not pattern.startswith("#"):
            bare = pattern.removeprefix("!").removeprefix("**/")
            if any(fnmatch(part, bare) for part in (path, *map(str, Path(path).parents), Path(path).name)):
                sent = pattern.startswith("!")
    return sent


def test_all_that_it_copies_is_there_and_is_sent() -> None:
    copied = [word for line in every("COPY") if not line.startswith("--from=") for word in line.split()[:-1]]
    assert {"addon", "simulator", "pyproject.toml", "constraints.txt"} <= {*copied}
    for name in copied:
        assert (ROOT / name).exists()
        assert is_sent(name), name
    # The wheel is of these packages, and pyproject.toml names these files.
    assert {*PROJECT["tool"]["setuptools"]["package-dir"].values()} <= {*copied}
    assert PROJECT["project"]["readme"] in copied


def test_nothing_else_is_sent() -> None:
    others = ["deploy/compose/secrets/api-key", ".git/config", ".env", "tests/conftest.py", ".venv/pyvenv.cfg"]
    assert not [name for name in others if is_sent(name)]
    assert is_sent("addon/hunyuan_fix.py")
    assert not is_sent("addon/__pycache__")


def test_both_stages_have_one_python_that_is_tested() -> None:
    """The environment that is copied names its Python by its path."""
    first, second = (line.partition(" ")[0] for line in every("FROM"))
    assert first == second
    version = re.fullmatch(r"python:(\d+\.\d+\.\d+)-slim-\w+", first)
    assert version
    assert Version(version[1]) in SpecifierSet(PROJECT["project"]["requires-python"])
    assert version[1].rpartition(".")[0] in (ROOT / "scripts/lib/environment.sh").read_text("utf-8")


def test_every_package_comes_at_the_version_that_is_tested() -> None:
    """The wheel's build, too: PIP_CONSTRAINT counts for both commands."""
    build = " ".join(every("ENV")[:1])
    assert "PIP_CONSTRAINT=/source/constraints.txt" in build
    (run,) = (line for line in every("RUN") if "pip wheel" in line)
    extras = re.search(r"\[([\w,]+)\]", run)
    assert extras
    assert {*extras[1].split(",")} <= PROJECT["project"]["optional-dependencies"].keys()
    assert "redis" in extras[1]


def test_it_is_no_root_and_keeps_what_it_keeps_in_a_volume() -> None:
    stage = read.last_stage()
    assert re.fullmatch(r"(?!0)\d+:(?!0)\d+", stage["USER"])
    user, _, group = stage["USER"].partition(":")
    assert f"--owner={user} --group={group}" in stage["RUN"]
    assert stage["VOLUME"] == read.of_image()["HOME"] == "/data"
    assert stage["RUN"].endswith(stage["VOLUME"])
    words = [word for word, _ in read.instructions(TEXT)]
    after = words[words.index("USER") :]
    assert not {"RUN", "COPY", "ADD"} & {*after}, "as another user than the one who made the rest"


def test_the_health_check_asks_the_admin_servers_port() -> None:
    assert str(ADMIN_PORT) in read.healthcheck()[-1]
    assert "/healthz" in read.healthcheck()[-1]
    assert read.last_stage()["STOPSIGNAL"] == "SIGTERM"
    assert {*read.last_stage()["EXPOSE"].split()} == {"4000", "8080", str(ADMIN_PORT)}
