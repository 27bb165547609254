"""What `pyproject.toml` says is what is there."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SOURCES = [*(ROOT / "addon").rglob("*.py"), *(ROOT / "simulator").rglob("*.py")]


def test_every_folder_is_a_package_of_the_distribution() -> None:
    folders = {path.parent for path in SOURCES}
    names = {"hunyuan_fix.simulator"}
    for folder in folders - {ROOT / "simulator"}:
        names.add(".".join(["hunyuan_fix", *folder.relative_to(ROOT / "addon").parts]))
        assert (folder / "__init__.py").is_file()
    assert sorted(PROJECT["tool"]["setuptools"]["packages"]) == sorted(names)


def test_every_package_that_is_imported_is_declared() -> None:
    """Not only had because another package needs it."""
    imported = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(str(node.module).split(".")[0])
    others = imported - sys.stdlib_module_names - {"hunyuan_fix", "msvcrt"}
    distributions = metadata.packages_distributions()
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    texts = [*project["dependencies"], *extras["redis"], *extras["otel"], *extras["mcp"]]
    declared = {canonicalize_name(Requirement(text).name) for text in texts}
    # Several packages may share a name, as all of OpenTelemetry's do.
    missing = {name for name in others if declared.isdisjoint(map(canonicalize_name, distributions[name]))}
    # mitmproxy_rs is a part of mitmproxy, which takes one version of it only.
    assert missing == {"mitmproxy_rs"}


PINNED: Mapping[str, str] = {
    canonicalize_name(name): version
    for name, version in re.findall(
        r"^([\w.-]+)==(\S+)(?: ; python_version >= .*)?$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE
    )
}
"""Name -> the version that is tested, on the newest Python where versions differ."""

DECLARED = [
    Requirement(text)
    for group in (
        PROJECT["build-system"]["requires"],
        PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"].values(),
    )
    for text in group
    if canonicalize_name(Requirement(text).name) != "hunyuan-fix"
]

BY_DATE = {"certifi"}
"""Packages whose version is a date: their bound lies up to three years ahead."""


def test_every_declared_package_is_pinned() -> None:
    assert {canonicalize_name(requirement.name) for requirement in DECLARED} <= PINNED.keys()


@pytest.mark.parametrize("requirement", DECLARED, ids=str)
def test_every_dependency_begins_where_it_is_good_and_ends_before_what_may_break_it(requirement: Requirement) -> None:
    """Constraints don't travel in a wheel."""
    pinned = Version(PINNED[canonicalize_name(requirement.name)])
    assert requirement.specifier.contains(pinned)
    bounds = {each.operator: Version(each.version) for each in requirement.specifier}
    assert bounds.keys() == {">=", "<"}
    assert requirement.name in BY_DATE or bounds["<"] <= next_that_may_break(pinned)
    assert bounds["<"].major <= pinned.major + 3


def next_that_may_break(version: Version) -> Version:
    """The next major version; below 1.0 the next minor one."""
    return Version(f"{version.major + 1}" if version.major else f"0.{version.minor + 1}")


def test_mitmproxy_ends_before_its_next_minor_version() -> None:
    """Its internals, which are replaced, change in those (hooks/mitmproxy_internals)."""
    (mitmproxy,) = (requirement for requirement in DECLARED if requirement.name == "mitmproxy")
    pinned = Version(PINNED["mitmproxy"])
    assert not mitmproxy.specifier.contains(f"{pinned.major}.{pinned.minor + 1}.0")
