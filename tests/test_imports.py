"""Imports point downwards, mitmproxy stays at the top, and the simulator shares nothing with the proxy.

A room is a folder of `addon/` or a file beside them. Read from the source, so that imports inside functions, for types
and by `importlib` count too.
"""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "hunyuan_fix"

FLOORS = (
    {"cli", "hunyuan_fix"},
    {"hooks"},
    {"runtime", "pipeline", "views", "supervisor", "page"},
    {"prediction"},
    {"steps"},
    {"options"},
    {"cascade", "relay"},
    {"vision", "answers", "upstream", "access", "observe", "profile_folder", "plugins", "key_routes"},
    {
        *("repaired", "rules", "dialects", "fallbacks", "mending", "route", "vendors", "admission", "kept"),
        *("answer_cache", "budgets", "embeddings", "masking", "model_map", "recording", "runaway", "stores"),
    },
    {
        *("circuit", "config", "counting", "documents", "images", "events", "prices", "search", "session", "wire"),
        *("workers",),
    },
    {"columns", "did_you_mean", "profiles", "texts", "exchange"},
)
"""From the top down. A room imports from its own floor and from those below."""

PURE = {
    *("repaired", "dialects", "rules", "answers", "wire", "session", "exchange", "events", "prices"),
    *("profiles", "texts", "images", "documents", "counting", "masking", "mending", "model_map"),
}
"""Rooms that know no host program and no network."""
IMPURE = {"mitmproxy", "mitmproxy_rs", "httpx", "httpcore", "tornado", "asyncio"}
"""What pure rooms do not import, nor anything that imports it."""
KNOW_MITMPROXY = {"hunyuan_fix", "hooks", "views"}
"""Rooms that may import mitmproxy, beside one file of `cli`."""
KNOW_SIMULATOR = {"cli", "prediction"}
"""Rooms that may import the simulator: to start it, and to ask what it would refuse."""

BY_NAME = {
    "rules/base.py": "rules, by the names in `CHAT_RULES`",
    "cli/main.py": "the commands",
    "plugins/loading.py": "plug-ins, by the names that the user gives",
    "hooks/mitmproxy_internals/replacements.py": "mitmproxy's own modules",
}
"""Files that import modules whose names the source doesn't spell out -> what they import so, from their own room."""

EXCEPTIONS: Mapping[str, str] = {}
"""What still breaks a rule -> since when and why. A row that is needed no longer makes the test fail: take it out."""


@dataclass(frozen=True, slots=True)
class Import:
    """`file` (below the package) imports `name`: a dotted name below the package if `own`, else of another package."""

    file: str
    name: str
    own: bool

    @property
    def importer(self) -> str:
        """The room of the file."""
        return room(self.file)

    @property
    def imported(self) -> str:
        """The room that is imported, or the top package of a foreign module."""
        return self.name.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.file} imports {self.name}"


def room(file: str) -> str:
    return file.partition("/")[0].removesuffix(".py")


def imports(package: Path) -> list[Import]:
    """Every import in the files of `package`, once each, in order."""
    found = (
        one
        for path in sorted(package.rglob("*.py"))
        for one in of_source(path.read_text(encoding="utf-8"), path.relative_to(package).as_posix(), package)
    )
    return list(dict.fromkeys(found))


def of_source(source: str, file: str, package: Path) -> Iterator[Import]:
    """The imports of one file, whose text is `source`."""
    folder = file.split("/")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield _named(file, alias.name)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                yield _named(file, _module(package, str(node.module), alias.name))
        elif isinstance(node, ast.Call) and (called := _called(node)) is not None:
            level = len(called) - len(called.lstrip("."))
            base = [PACKAGE, *folder[: len(folder) + 1 - level]] if level else []
            yield _named(file, ".".join([*base, *filter(None, [called[level:]])]) if called else UNSPELT)
        elif isinstance(node, ast.ImportFrom):
            base = [PACKAGE, *folder[: len(folder) + 1 - node.level], *filter(None, [node.module])]
            for alias in node.names:
                yield _named(file, _module(package, ".".join(base), alias.name))


UNSPELT = "a module by a name that is made at run time"


def _called(node: ast.Call) -> str | None:
    """The name that a call of `import_module` or `__import__` is given, `""` if it is no literal; `None`: no import."""
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name not in ("import_module", "__import__"):
        return None
    given = node.args[0] if node.args else None
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else ""


def _module(package: Path, base: str, name: str) -> str:
    """What `from base import name` imports: the module `base.name` if there is one of ours, else `base`."""
    if base != PACKAGE and not base.startswith(f"{PACKAGE}."):
        return base
    place = package.joinpath(*base.split(".")[1:], name)
    return f"{base}.{name}" if place.is_dir() or place.with_suffix(".py").exists() else base


def _named(file: str, name: str) -> Import:
    own = name == PACKAGE or name.startswith(f"{PACKAGE}.")
    return Import(file, name.removeprefix(PACKAGE).removeprefix(".") if own else name, own)


def floor(name: str) -> int:
    return next((number for number, rooms in enumerate(FLOORS) if name in rooms), -1)


def without_a_floor(found: Iterable[Import]) -> list[str]:
    rooms = {one.importer for one in found} | {one.imported for one in found if one.own and one.imported}
    return sorted(name for name in rooms - {"simulator", "__init__"} if floor(name) < 0)


def upward(found: Iterable[Import]) -> list[str]:
    return [
        str(one)
        for one in found
        if one.own and one.imported not in ("", "simulator") and floor(one.imported) < floor(one.importer)
    ]


def circles(found: Iterable[Import]) -> list[str]:
    """Rings of rooms of one floor that import each other: any longer ring has an upward import in it."""
    arrows: dict[str, set[str]] = {}
    for one in found:
        if one.own and one.imported not in ("", one.importer) and floor(one.imported) == floor(one.importer):
            arrows.setdefault(one.importer, set()).add(one.imported)
    return sorted({ring for start in arrows for ring in _rings(start, arrows, (start,))})


def _rings(start: str, arrows: Mapping[str, set[str]], way: Sequence[str]) -> Iterator[str]:
    for further in sorted(arrows.get(way[-1], ())):
        if further == start:
            yield " -> ".join([*way, start])
        elif further > start and further not in way:  # each ring once, from its first room
            yield from _rings(start, arrows, (*way, further))


def impure(found: Sequence[Import]) -> list[str]:
    """The imports of pure rooms through which something impure comes in, at once or by other modules of ours."""
    tainted = {one.file for one in found if one.imported in IMPURE and not one.own}
    while more := {one.file for one in found if one.own and _file(one) in tainted} - tainted:
        tainted |= more
    return [
        str(one)
        for one in found
        if one.importer in PURE and (_file(one) in tainted if one.own else one.imported in IMPURE)
    ]


@cache
def _file(one: Import) -> str:
    """The file of an own module."""
    path = one.name.replace(".", "/")
    return f"{path}/__init__.py" if (ROOT / "addon" / path).is_dir() else f"{path}.py"


def unspelt(found: Iterable[Import]) -> list[str]:
    return [str(one) for one in found if one.name == UNSPELT and one.file not in BY_NAME]


def knowing_mitmproxy(found: Iterable[Import]) -> list[str]:
    users = [one for one in found if not one.own and one.imported in ("mitmproxy", "mitmproxy_rs")]
    of_cli = sorted({one.file for one in users if one.importer == "cli"})
    strangers = [str(one) for one in users if one.importer not in {*KNOW_MITMPROXY, "cli"}]
    return strangers + [f"{file} imports mitmproxy, as {of_cli[0]} does" for file in of_cli[1:]]


def mixing(addon: Iterable[Import], simulator: Iterable[Import]) -> list[str]:
    """Where the simulator knows the proxy, or the proxy, but for a few rooms, the simulator."""
    used = [str(one) for one in addon if one.own and one.imported == "simulator" and one.importer not in KNOW_SIMULATOR]
    shared = [
        f"simulator/{one}"
        for one in simulator
        if one.imported == "addon" or (one.own and one.imported != "simulator" and not _beside(one))
    ]
    return used + shared


def _beside(one: Import) -> bool:
    """Whether a relative import of the simulator's stays within it."""
    return bool(one.imported) and any((ROOT / "simulator").glob(f"{one.imported}*"))


def problems(found: Sequence[Import], of_simulator: Sequence[Import]) -> set[str]:
    """Everything that breaks a rule."""
    return {
        *upward(found),
        *circles(found),
        *impure(found),
        *unspelt(found),
        *knowing_mitmproxy(found),
        *mixing(found, of_simulator),
        *(f"{name} has no floor" for name in without_a_floor(found)),
    }


@pytest.fixture(scope="module")
def found() -> list[Import]:
    return imports(ROOT / "addon")


@pytest.fixture(scope="module")
def of_simulator() -> list[Import]:
    return imports(ROOT / "simulator")


def test_the_rules_hold_but_for_the_exceptions(found: list[Import], of_simulator: list[Import]) -> None:
    assert problems(found, of_simulator) == set(EXCEPTIONS)


def test_every_file_is_read(found: list[Import], of_simulator: list[Import]) -> None:
    """An empty list of imports would break no rule."""
    assert len({one.file for one in of_simulator}) > 10
    assert len({one.file for one in found}) > 100
    assert Import("wire/proxy_errors/entry.py", "wire.openai_error", own=True) in found
    assert Import("hooks/log_handlers.py", "mitmproxy.utils", own=False) in found
    assert Import("hunyuan_fix.py", "hooks.mitmproxy_internals.ports", own=True) in found


@pytest.mark.parametrize(
    ("file", "line", "problem"),
    [
        ("wire/sse.py", "from ..hooks import detour", "wire/sse.py imports hooks.detour"),
        ("wire/sse.py", "from ..hooks.detour import divert", "wire/sse.py imports hooks.detour"),
        ("wire/sse.py", "import hunyuan_fix.hooks.detour", "wire/sse.py imports hooks.detour"),
        ("wire/sse.py", "from .. import hooks", "wire/sse.py imports hooks"),
        ("wire/sse.py", "def f():\n    from ..hooks import detour", "wire/sse.py imports hooks.detour"),
        ("exchange.py", "from .wire import sse", "exchange.py imports wire.sse"),
        ("stores/store.py", "from ..observe import metrics", "stores/store.py imports observe.metrics"),
        ("wire/sse.py", "import asyncio", "wire/sse.py imports asyncio"),
        ("wire/sse.py", "if TYPE_CHECKING:\n    import httpx", "wire/sse.py imports httpx"),
        ("wire/sse.py", "def f():\n    return __import__('asyncio')", "wire/sse.py imports asyncio"),
        ("wire/sse.py", "x = importlib.import_module('httpx')", "wire/sse.py imports httpx"),
        ("wire/sse.py", "x = import_module('..hooks.detour', __package__)", "wire/sse.py imports hooks.detour"),
        ("wire/sse.py", "x = import_module('hunyuan_fix.hooks')", "wire/sse.py imports hooks"),
        ("wire/sse.py", "x = import_module(name)", f"wire/sse.py imports {UNSPELT}"),
        ("rules/merge.py", "from ..workers import Workers", "rules/merge.py imports workers"),
        ("rules/merge.py", "from ..config import watched_file", "rules/merge.py imports config.watched_file"),
        ("rules/base.py", "x = import_module(name)", ""),
        ("rules/merge.py", "from httpx import URL", "rules/merge.py imports httpx"),
        ("texts/marks.py", "from mitmproxy import http", "texts/marks.py imports mitmproxy"),
        ("upstream/retry.py", "import mitmproxy.http", "upstream/retry.py imports mitmproxy.http"),
        ("admission/queue.py", "from ..rules import merge\nfrom ..stores import store", ""),
        ("stores/store.py", "from hunyuan_fix.simulator import rows", "stores/store.py imports simulator"),
        ("cli/a.py", "import mitmproxy", ""),
        ("cli/b.py", "from hunyuan_fix.simulator import rows", ""),
        ("attic/a.py", "import os", "attic has no floor"),
    ],
)
def test_a_bad_import_is_found(found: list[Import], file: str, line: str, problem: str) -> None:
    others = [one for one in found if one.importer != "cli"]
    more = [*others, *of_source(line, file, ROOT / "addon")]
    added = problems(more, []) - problems(others, [])
    assert (problem in added) if problem else added == set()


def test_a_bad_import_in_a_copy_of_the_project_is_found(tmp_path: Path, found: list[Import]) -> None:
    copy = tmp_path / "addon"
    shutil.copytree(ROOT / "addon", copy, ignore=shutil.ignore_patterns("__pycache__"))
    with (copy / "wire" / "sse.py").open("a", encoding="utf-8") as file:
        file.write("\n\ndef late() -> None:\n    from ..hooks import detour\n")
    assert "wire/sse.py imports hooks.detour" in problems(imports(copy), []) - problems(found, [])


def test_a_ring_of_rooms_is_found_once() -> None:
    found = [
        Import("upstream/a.py", "access.b", own=True),
        Import("access/b.py", "observe.c", own=True),
        Import("observe/c.py", "upstream.a", own=True),
        Import("observe/c.py", "observe.d", own=True),
        Import("relay/x.py", "upstream.a", own=True),
        Import("upstream/a.py", "relay.x", own=True),  # upward, and found as such
    ]
    assert circles(found) == ["access -> observe -> upstream -> access"]


def test_a_second_file_of_cli_that_imports_mitmproxy_is_found() -> None:
    found = [Import("cli/a.py", "mitmproxy.tools", own=False), Import("cli/b.py", "mitmproxy", own=False)]
    assert knowing_mitmproxy(found) == ["cli/b.py imports mitmproxy, as cli/a.py does"]


@pytest.mark.parametrize("line", ["from hunyuan_fix.wire import sse", "import hunyuan_fix", "import addon.wire"])
def test_a_simulator_that_knows_the_proxy_is_found(tmp_path: Path, line: str) -> None:
    (tmp_path / "rows.py").write_text(line, encoding="utf-8")
    assert len(mixing([], imports(tmp_path))) == 1


def test_the_simulator_s_own_files_may_import_each_other(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text("from hunyuan_fix.simulator import rows\nfrom .rows import A\n", "utf-8")
    assert mixing([], imports(tmp_path)) == []


def test_the_map_has_the_floors_and_the_pure_rooms_that_hold() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \d+ \| (.+) \|$", page, re.MULTILINE)
    assert [set(re.findall(r"`(\w+)`", row)) for row in rows] == list(map(set, FLOORS))
    pure = re.search(r"^(`.+`) import neither mitmproxy nor httpx nor asyncio", page, re.MULTILINE)
    assert pure is not None
    assert set(re.findall(r"`(\w+)`", pure[1])) == PURE
