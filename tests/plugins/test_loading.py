"""Which plug-ins the option names, where they are, and what is refused at the start."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from hunyuan_fix import options, pipeline
from hunyuan_fix.config.option import OptionError
from hunyuan_fix.plugins import loading
from hunyuan_fix.plugins.made import Plugins
from tests.plugins.plugged import HEAD, file

PLUGIN = 'PLUGIN = Plugin("{name}")\n'


@pytest.fixture(autouse=True)
def _anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_modules", {})


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts a package into a folder on the path: its module's text, and its entry points."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def add(package: str, text: str, points: str = "") -> None:
        (tmp_path / f"{package}.py").write_text(text, "utf-8")
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", "utf-8")
        if points:
            (info / "entry_points.txt").write_text(f"[{loading.GROUP}]\n{points}\n", "utf-8")
        monkeypatch.delitem(sys.modules, package, raising=False)

    return add


def named(text: str) -> list[tuple[str, str]]:
    return [(one.plugin.name, one.source) for one in loading.plugins(text).loaded]


def test_none_is_named() -> None:
    assert loading.plugins("") == Plugins()


def test_a_file_is_executed_once(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    text = f"open({str(counter)!r}, 'a').write('x')\n" + PLUGIN.format(name="mine")
    mine = file(tmp_path, text)
    first = loading.plugins(mine)
    assert loading.plugins(f"{mine}, {mine}").loaded == first.loaded
    assert named(mine) == [("mine", mine)]
    assert counter.read_text() == "x"


def test_two_files_may_have_one_stem(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    one = file(tmp_path, PLUGIN.format(name="one"))
    two = file(tmp_path / "other", PLUGIN.format(name="two"))
    made = loading.plugins(f"{two},{one}").loaded
    assert [loaded.plugin.name for loaded in made] == ["two", "one"]
    # Each is found under its module's name, as pickle and dataclasses look for it.
    there = [module for name, module in sys.modules.items() if name.startswith("hunyuan_plugin_mine")]
    assert {id(loaded.plugin) for loaded in made} <= {id(getattr(module, "PLUGIN", None)) for module in there}


def test_a_module_and_an_entry_point_are_named(install: Callable[..., None]) -> None:
    install("toy_module", HEAD + PLUGIN.format(name="as-module"))
    install("toy_package", HEAD + "THE_ONE = Plugin('as-point')\n", "toy-point = toy_package:THE_ONE")
    assert named("toy_module,toy-point") == [
        ("as-module", "module toy_module"),
        ("as-point", "entry point toy-point of toy_package 1.0"),
    ]


def test_what_is_only_installed_isnt_loaded(install: Callable[..., None], tmp_path: Path) -> None:
    install("toy_quiet", "raise SystemExit('it ran')", "toy-quiet = toy_quiet")
    mine = file(tmp_path, PLUGIN.format(name="mine"))
    assert [name for name, _ in named(mine)] == ["mine"]
    assert "toy_quiet" not in sys.modules


def test_all_entry_points_are_named_at_once(install: Callable[..., None]) -> None:
    install("toy_b", HEAD + PLUGIN.format(name="b"), "point-b = toy_b")
    install("toy_a", HEAD + PLUGIN.format(name="a"), "point-a = toy_a:PLUGIN")
    assert [name for name, _ in named("*")] == ["a", "b"]
    assert [name for name, _ in named("point-b,*")] == ["b", "a"]


def test_an_entry_point_of_two_packages_is_refused(install: Callable[..., None]) -> None:
    install("toy_one", HEAD + PLUGIN.format(name="one"), "same = toy_one")
    install("toy_two", HEAD + PLUGIN.format(name="two"), "same = toy_two")
    with pytest.raises(ValueError, match="several installed packages have a plug-in same: toy_one, toy_two"):
        loading.plugins("same")


def test_a_package_that_is_found_twice_counts_once(
    install: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("toy_twice", HEAD + PLUGIN.format(name="twice"), "twice = toy_twice")
    points = metadata.entry_points(group=loading.GROUP)
    monkeypatch.setattr(metadata, "entry_points", lambda **_: [*points, *points])
    assert [name for name, _ in named("twice")] == ["twice"]


@pytest.mark.parametrize(
    ("text", "error", "line"),
    [
        ("x = 1\n1 / 0\n", "ZeroDivisionError", 3),
        ("import not_there_at_all\n", "ModuleNotFoundError", 2),
        ("raise SystemExit\n", "SystemExit", 2),
        ("raise ValueError('a secret')\n", "ValueError", 2),
        ("def f(:\n", "SyntaxError", 2),
        ("Plugin()\n", "TypeError", 2),
    ],
)
def test_a_file_that_raises_costs_itself_alone(tmp_path: Path, text: str, error: str, line: int) -> None:
    broken = file(tmp_path, text, "broken.py")
    mine = file(tmp_path, PLUGIN.format(name="mine"))
    made = loading.plugins(f"{broken},{mine}")
    assert [one.plugin.name for one in made.loaded] == ["mine"]
    assert [(one.name, one.why) for one in made.broken] == [("broken", f"{error}, {broken}:{line}")]
    assert loading.plugins(broken).broken == made.broken


def test_a_module_whose_import_fails_within_is_broken(install: Callable[..., None]) -> None:
    install("toy_lacking", "import not_there_at_all", "lacking = toy_lacking")
    for text in ("toy_lacking", "lacking"):
        (broken,) = loading.plugins(text).broken
        assert broken.why.startswith("ModuleNotFoundError, ")


REFUSED = {
    "PLUGIN = 3": "PLUGIN in {file} is a int, not a Plugin",
    "": "{file} has no PLUGIN: a plug-in is made with Plugin(…)",
    "PLUGIN = Plugin('Nice Name')": "{file}: 'Nice Name' is no name; accepted are lower-case letters, digits, - and _",
    "PLUGIN = Plugin('a', steps=[Step()])": "steps of the plug-in a: accepted is a tuple of what docs/plugins.md says",
    "PLUGIN = Plugin('a', steps=(3,))": "steps of the plug-in a: accepted is a tuple of what docs/plugins.md says",
    "PLUGIN = Plugin('a', rules=(3,))": "rules of the plug-in a: accepted is a tuple of what docs/plugins.md says",
    "PLUGIN = Plugin('a', checks=(3,))": "checks of the plug-in a: accepted is a tuple of what docs/plugins.md says",
    "PLUGIN = Plugin('a', sinks=(3,))": "sinks of the plug-in a: accepted is a tuple of what docs/plugins.md says",
    "class S:\n    name = 's'; kinds = ('no',)\n    def hear(self, event): pass\n"
    "PLUGIN = Plugin('a', sinks=(S(),))": "sinks of the plug-in a: accepted is a tuple of what docs/plugins.md says",
    "class S(Step):\n    name = 's'; houses = ('chats',)\n"
    "PLUGIN = Plugin('a', steps=(S(),))": "steps of the plug-in a: accepted is a tuple of what docs/plugins.md says",
    "class S(Step):\n    name = 's'; houses = 'chat'\n"
    "PLUGIN = Plugin('a', steps=(S(),))": "steps of the plug-in a: accepted is a tuple of what docs/plugins.md says",
    "class S(Step):\n    name = 's'\n    def request(self, exchange): pass\n"
    "PLUGIN = Plugin('a', steps=(S(),))": "the step s of a: request is no async function",
    "PLUGIN = Plugin('a', steps=(Step(),))": "a: '' is no name; accepted are lower-case letters, digits, - and _",
    "class S(Step):\n    name = 'merge'\n"
    "PLUGIN = Plugin('a', steps=(S(),))": "merge of the plug-in a: this name is taken by the proxy itself",
    "class S(Step):\n    name = 's'\n"
    "PLUGIN = Plugin('a', steps=(S(), S()))": "s of the plug-in a: this name is taken by a",
    "class S(Step):\n    name = 'overlong'\n"
    "PLUGIN = Plugin('a', steps=(S(),))": "the step overlong: this name is taken by the proxy itself",
    "class S(Step):\n    name = 's'; before = 'rule'\n"
    "PLUGIN = Plugin('a', steps=(S(),))": "the step s of a: there is no step rule; did you mean rules?",
    "class S(Step):\n    name = 's'; before = 'rules'; after = 'model'\n"
    "PLUGIN = Plugin('a', steps=(S(),))": "the step s of a has both before and after",
    "PLUGIN = Plugin('a', rules=(Rule('r', '', '', print, ('partz',)),))": "a rule has in its after "
    "partz, which no rule before it is called; did you mean parts?",
    "PLUGIN = Plugin('a', patience=0)": "patience of the plug-in a: accepted are seconds, above 0 and up to 100",
    "PLUGIN = Plugin('a', patience=101)": "patience of the plug-in a: accepted are seconds, above 0 and up to 100",
    "PLUGIN = Plugin('a', alerts=['x'])": "alerts of the plug-in a: accepted is a mapping of names to rows",
    "PLUGIN = Plugin('a', alerts={'queue': {}})": "queue of the plug-in a: this name is taken by the proxy itself",
    "PLUGIN = Plugin('a', alerts={'x': {}})": "the alert x of a has no key threshold",
    "PLUGIN = Plugin('a', alerts={'x': {'sum': 1}})": "the alert x of a: [x] has no key sum",
    "PLUGIN = Plugin('a', profiles='b')": "profiles of the plug-in a: accepted is the Path of a folder that exists",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cant_be_meant_is_refused(tmp_path: Path, text: str) -> None:
    mine = file(tmp_path, text)
    with pytest.raises(OptionError) as error:
        pipeline.check(options.parse({"hunyuan_plugins": mine}))
    assert str(error.value) == f"hunyuan_plugins={mine}: {REFUSED[text].format(file=mine)}"


def test_two_plug_ins_with_one_name_are_refused(tmp_path: Path) -> None:
    one, two = (file(tmp_path, PLUGIN.format(name="same"), name) for name in ("one.py", "two.py"))
    with pytest.raises(OptionError, match=f"two plug-ins are called same: {one} and {two}"):
        options.parse({"hunyuan_plugins": f"{one},{two}"})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("/nowhere/mine.py", "there is no file /nowhere/mine.py"),
        ("/etc/hostname", "/etc/hostname is no .py file"),
        ("no_such_module", "there is no installed module and no entry point no_such_module"),
        ("os.no_such_module", "there is no installed module and no entry point os.no_such_module"),
        ("a b", "'a b' is no path of a .py file, no module and no entry point"),
        ("json", "module json has no PLUGIN: a plug-in is made with Plugin(…)"),
    ],
)
def test_what_isnt_there_is_refused(text: str, why: str) -> None:
    with pytest.raises(OptionError) as error:
        options.parse({"hunyuan_plugins": text})
    assert str(error.value) == f"hunyuan_plugins={text}: {why}"


def test_an_entry_point_that_is_nearly_named_is_offered(install: Callable[..., None]) -> None:
    install("toy_near", HEAD + PLUGIN.format(name="near"), "toy_nearby = toy_near")
    with pytest.raises(ValueError, match="did you mean toy_nearby"):
        loading.plugins("toy_nearbi")


def test_a_provider_file_that_cant_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("hosts = [", "utf-8")
    mine = file(tmp_path, "from pathlib import Path\nPLUGIN = Plugin('a', profiles=Path(__file__).parent)\n")
    with pytest.raises(OptionError, match=r"hunyuan_profiles=.*: bad.toml: is no TOML"):
        options.parse({"hunyuan_plugins": mine})
    options.parse({})


def test_an_alert_whose_sentence_cant_be_said_is_refused(tmp_path: Path) -> None:
    """It would be found out only when the alert fires, and would keep all others from being told."""
    row = {
        **{"severity": "info", "kind": "growth", "of": "hunyuan_exchanges_total", "minutes": 1, "threshold": 1},
        **{"ends": 1, "for": 0, "unit": "count", "summary": "{nothing}", "action": "a"},
    }
    mine = file(tmp_path, f"PLUGIN = Plugin('a', alerts={{'x': {row!r}}})\n")
    with pytest.raises(OptionError, match="the alert x of a has no key nothing"):
        options.parse({"hunyuan_plugins": mine})
