"""The documentation says what is there: every option, rule, module, script and command, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hunyuan_fix.config.options import OPTIONS, Option
from hunyuan_fix.rules import CHAT_RULES
from hunyuan_fix.rules.context import Rule
from hunyuan_fix.rules.explained import explanations
from hunyuan_fix.views.commands import Commands

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "README.zh-CN.md")
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in [ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md")])
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "addon").rglob("*.py")
    if path.name != "__init__.py" and path.parent.name != "rules"
)
SCRIPTS = sorted(f"scripts/{path.name}" for path in (ROOT / "scripts").iterdir() if path.is_file())


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def shown(default: str | bool) -> str:
    return f"`{str(default).lower()}`" if isinstance(default, bool) else f"`{default}`" if default else "–"


@pytest.mark.parametrize("page", [*READMES, "docs/options.md"])
@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_option_is_in_the_table_with_its_default(page: str, option: Option) -> None:
    rows = dict(re.findall(r"^\| `(hunyuan_\w+)` \| ([^|]+?) \|", read(page), re.MULTILINE))
    assert rows.get(option.name) == shown(option.default)


@pytest.mark.parametrize("page", [*READMES, "docs/options.md"])
def test_no_option_is_made_up(page: str) -> None:
    known = {option.name for option in OPTIONS} | {"hunyuan_fix"}
    assert set(re.findall(r"\bhunyuan_[a-z_]+[a-z]\b", read(page))) - known == set()


@pytest.mark.parametrize("rule", explanations())
def test_every_rule_is_explained(rule: str) -> None:
    assert f"| `{rule}` |" in read("docs/rules.md")


@pytest.mark.parametrize("page", READMES)
@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_is_named(page: str, script: str) -> None:
    assert script in read(page)


@pytest.mark.parametrize("page", READMES)
def test_every_command_is_named(page: str) -> None:
    names = [getattr(method, "command_name", None) for method in vars(Commands).values()]
    commands = [name for name in names if name]
    assert commands
    for command in commands:
        assert f"`{command}" in read(page)


@pytest.mark.parametrize("module", MODULES)
def test_every_module_is_on_the_map(module: str) -> None:
    room, name = module.rsplit("/", 1)
    shown = f"`{module}`" if room == "addon" else f"`{name.removesuffix('.py')}`"
    assert shown in read("docs/architecture.md")


@pytest.mark.parametrize("rule", CHAT_RULES, ids=lambda rule: rule.__name__)
def test_every_chat_rule_stands_beside_its_file(rule: Rule) -> None:
    name = rule.__name__.replace("_", "-")
    file = rule.__module__.rpartition(".")[2] + ".py"
    assert f"| `{name}` | `{file}` |" in read("docs/rules.md")


def test_the_map_shows_nothing_that_is_gone() -> None:
    for path in re.findall(r"`((?:addon|simulator|scripts|tests)/[\w./-]*)`", read("docs/architecture.md")):
        assert (ROOT / path).exists(), path


def test_both_readmes_have_the_same_parts() -> None:
    english, chinese = (read(page) for page in READMES)
    headings = [re.findall(r"^(#+) ", text, re.MULTILINE) for text in (english, chinese)]
    assert headings[0] == headings[1]
    tables = [len(re.findall(r"^\|---", text, re.MULTILINE)) for text in (english, chinese)]
    assert tables[0] == tables[1]
    blocks = [re.findall(r"^(```\w*\n.*?)^```$", text, re.MULTILINE | re.DOTALL) for text in (english, chinese)]
    assert blocks[0] == blocks[1]


@pytest.mark.parametrize("page", [*READMES, *PAGES])
def test_local_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", read(page)):
        if not re.match(r"\w+:", target):
            assert ((ROOT / page).parent / target).exists(), target
