"""What `pyproject.toml` says is what is there."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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
    needed = {canonicalize_name(distributions[name][0]) for name in others}
    project = PROJECT["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["redis"]]
    # mitmproxy_rs is a part of mitmproxy, which takes one version of it only.
    assert needed - {canonicalize_name(Requirement(text).name) for text in declared} == {"mitmproxy-rs"}


def test_every_declared_package_is_pinned() -> None:
    pinned = set(re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE))
    project = PROJECT["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    declared = {canonicalize_name(Requirement(text).name) for group in groups for text in group} - {"hunyuan-fix"}
    assert declared <= {canonicalize_name(name) for name in pinned}
