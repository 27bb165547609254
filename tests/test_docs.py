"""The documentation says what is there: every option, rule, module, script and command, in both languages."""

from __future__ import annotations

import re
from functools import cache
from operator import itemgetter
from pathlib import Path

import pytest

from hunyuan_fix.config.option import Option
from hunyuan_fix.config.subjects import subjects
from hunyuan_fix.options import OPTIONS
from hunyuan_fix.pipeline import STEPS
from hunyuan_fix.rules import page as rules_page
from hunyuan_fix.rules.explained import Explanation, explanations
from hunyuan_fix.views.commands import Commands
from scripts.lib import metrics_page, options_page
from tests.looped import each

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "README.zh-CN.md")
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in [ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md")])
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "addon").rglob("*.py")
    if path.name != "__init__.py" and path.parent.name != "rules"
)
_ROOMS = ("addon", "simulator", "scripts", "tests", "docs", "deploy")
TEXTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [
        *ROOT.glob("*.md"),
        *(path for room in _ROOMS for path in (ROOT / room).rglob("*")),
    ]
    if path.is_file()
    and (path.suffix in {".py", ".md", ".toml", ".sh", ".yaml"} or path.parent == ROOT / "scripts")
    and not path.is_relative_to(ROOT / "tests/captures")
    and not path.is_relative_to(ROOT / "tests/cases")
)
"""Everything that may cite: code, comments, tests and pages."""
IN_TWO_LANGUAGES = sorted(page.replace(".zh-CN", "") for page in TEXTS if page.endswith(".zh-CN.md"))
PAGES_OF_USERS = sorted(page for page in TEXTS if page.endswith(".md") and "/facts/" not in page)
LINKED = sorted(page for page in TEXTS if page.endswith(".md"))
SCRIPTS = sorted(f"scripts/{path.name}" for path in (ROOT / "scripts").iterdir() if path.is_file())


@cache
def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def shown(default: str | bool) -> str:
    return f"`{str(default).lower()}`" if isinstance(default, bool) else f"`{default}`" if default else "–"


def option_rows(page: str) -> dict[str, str]:
    return dict(re.findall(r"^\| `(hunyuan_\w+)` \| ([^|]+?) \|", read(page), re.MULTILINE))


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_option_is_in_the_table_with_its_default(option: Option) -> None:
    assert option_rows("docs/options.md").get(option.name) == shown(option.default)


@pytest.mark.parametrize(("language", "page"), options_page.PAGES.items(), ids=list(options_page.PAGES))
def test_the_tables_of_options_are_as_they_are_made(language: str, page: Path) -> None:
    """`python -m scripts.lib.options_page` writes them anew."""
    text = page.read_text("utf-8")
    assert options_page.filled(text, language) == text
    assert [*re.findall("<!-- table: (.*) -->", text)] == [*re.findall("<!-- table: (.*) -->", read("docs/options.md"))]


def test_every_option_is_in_one_table() -> None:
    fields = [field for subject in subjects().values() for field in subject.fields]
    assert sorted(fields) == sorted(option.field for option in OPTIONS)
    assert {*subjects(), "variables"} == set(re.findall("<!-- table: (.*) -->", read("docs/options.md")))


@pytest.mark.parametrize(("language", "page"), metrics_page.PAGES.items(), ids=list(metrics_page.PAGES))
def test_the_tables_of_metrics_are_as_they_are_made(language: str, page: Path) -> None:
    """`python -m scripts.lib.metrics_page` writes them anew."""
    text = page.read_text("utf-8")
    assert metrics_page.filled(text, language) == text
    assert {*metrics_page.SUBJECTS} == set(re.findall("<!-- table: (.*) -->", text))


@pytest.mark.parametrize("page", metrics_page.PAGES.values(), ids=list(metrics_page.PAGES))
def test_the_values_of_every_label_are_told(page: Path) -> None:
    rows = re.findall(r"^\| (`\w+`(?:[,、] ?`\w+`)*) \| .+ \|$", page.read_text("utf-8"), re.MULTILINE)
    told = {label for row in rows for label in re.findall(r"`(\w+)`", row)}
    assert {label for metric in metrics_page.metrics() for label in metric.labels} <= told


def test_queries_of_the_metrics_page_name_metrics_and_labels_that_there_are() -> None:
    known = {metric.name: {*metric.labels, "le"} for metric in metrics_page.metrics()}
    queries = [cells[1] for cells in re.findall(r"^\| ([^|]+) \| `(.*)` \|$", read("docs/metrics.md"), re.M)]
    named = [query for query in queries if "hunyuan_" in query and "(" in query]
    assert len(named) >= 7
    for query in named:
        for name, labels in re.findall(r"(hunyuan_\w+?)(?:_bucket)?(?:\{([^}]*)\})?\[", query):
            assert set(re.findall(r"(\w+)=", labels)) <= known[name], query


@pytest.mark.parametrize("page", READMES)
def test_the_readme_shows_some_options_with_their_defaults(page: str) -> None:
    defaults = {option.name: shown(option.default) for option in OPTIONS}
    rows = option_rows(page)
    assert len(rows) >= 8
    assert rows == {name: defaults[name] for name in rows}


@pytest.mark.parametrize("page", [*READMES, "docs/options.md", "docs/options.zh-CN.md", "docs/options-in-detail.md"])
def test_no_option_is_made_up(page: str) -> None:
    known = {option.name for option in OPTIONS} | {"hunyuan_fix"}
    assert set(re.findall(r"\bhunyuan_[a-z_]+[a-z]\b", read(page))) - known == set()


@each("rule", explanations())
def test_every_rule_is_explained(rule: str) -> None:
    assert f"| `{rule}` |" in read("docs/rules.md")


@each("script", SCRIPTS)
def test_every_script_is_named(script: str) -> None:
    assert any(script in read(page) for page in PAGES_OF_USERS)


@pytest.mark.parametrize("readme", READMES)
def test_the_readme_is_short(readme: str) -> None:
    assert len(read(readme).splitlines()) <= 180


@pytest.mark.parametrize("index", ["docs/README.md", "docs/README.zh-CN.md"])
def test_every_page_is_in_the_index(index: str) -> None:
    linked = set(re.findall(r"\]\(([\w./-]+\.md)\)", read(index)))
    there = {path.name for path in (ROOT / "docs").glob("*.md") if not path.name.startswith("README")}
    ours = {name for name in there if name.endswith(".zh-CN.md") == index.endswith(".zh-CN.md")}
    if index.endswith(".zh-CN.md"):  # what is there in English only
        ours |= {name for name in there if name.removesuffix(".md") + ".zh-CN.md" not in there and "zh-CN" not in name}
    assert ours - linked == set()


@each("page", [page for page in PAGES if re.fullmatch(r"docs/(?!README)[\w.-]+\.md", page)])
def test_every_page_begins_with_its_languages_and_the_way_to_all_pages(page: str) -> None:
    name = page.removeprefix("docs/").removesuffix(".md").removesuffix(".zh-CN")
    if page.endswith(".zh-CN.md"):
        line = f"[English]({name}.md) · 简体中文 · [全部页面](README.zh-CN.md)"
    elif f"docs/{name}.zh-CN.md" in PAGES:
        line = f"English · [简体中文]({name}.zh-CN.md) · [all pages](README.md)"
    else:
        line = "English · [all pages](README.md)"
    assert read(page).splitlines()[1:4] == ["", line, ""]


@pytest.mark.parametrize("page", ["docs/seeing.md", "docs/seeing.zh-CN.md"])
def test_every_command_is_named(page: str) -> None:
    names = [getattr(method, "command_name", None) for method in vars(Commands).values()]
    commands = [name for name in names if name]
    assert commands
    for command in commands:
        assert f"`{command}" in read(page)


@each("module", MODULES)
def test_every_module_is_on_the_map(module: str) -> None:
    room, name = module.rsplit("/", 1)
    shown = f"`{module}`" if room == "addon" else f"`{name.removesuffix('.py')}`"
    assert shown in read("docs/architecture.md")


def test_the_tables_of_the_rules_are_as_they_are_made() -> None:
    """`python -m hunyuan_fix.rules.page` writes them anew."""
    for page, language in rules_page.PAGES.items():
        assert rules_page.filled(read(page), language) == read(page)
    tables = [re.findall(r"<!-- table: ([\w-]+) -->", read(page)) for page in rules_page.PAGES]
    assert tables[0] == tables[1] == list(rules_page.TABLES)


@each("rule, explanation", explanations().items(), ids=itemgetter(0))
def test_every_rule_stands_beside_its_file(rule: str, explanation: Explanation) -> None:
    assert not explanation.file or (ROOT / "addon" / explanation.file).is_file()


def test_the_map_shows_nothing_that_is_gone() -> None:
    for path in re.findall(r"`((?:addon|simulator|scripts|tests)/[\w./-]*)`", read("docs/architecture.md")):
        assert (ROOT / path).exists(), path


def test_the_way_of_a_request_has_the_steps_in_their_order() -> None:
    assert " ▸ ".join(step.__name__ for step in STEPS) + ";" in read("docs/architecture.md")


@each("page", IN_TWO_LANGUAGES)
def test_both_languages_have_the_same_parts(page: str) -> None:
    english, chinese = read(page), read(page.removesuffix(".md") + ".zh-CN.md")
    headings = [re.findall(r"^(#+) ", text, re.MULTILINE) for text in (english, chinese)]
    assert headings[0] == headings[1]
    tables = [len(re.findall(r"^\|---", text, re.MULTILINE)) for text in (english, chinese)]
    assert tables[0] == tables[1]
    # What the program prints, in blocks of text, may be in the page's language.
    fenced = [re.findall(r"^(```\w*\n.*?)^```$", text, re.MULTILINE | re.DOTALL) for text in (english, chinese)]
    blocks = [[block for block in found if not block.startswith("```text")] for found in fenced]
    assert blocks[0] == blocks[1]


@cache
def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page: a repeated one gets -1, -2 and so on."""
    seen: dict[str, int] = {}
    found = set()
    text = re.sub(r"^(```|~~~).*?^\1", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#{1,6} +(.+?)(?: +#+)? *$", text, re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found.add(slug if slug not in seen else f"{slug}-{seen[slug]}")
        seen[slug] = seen.get(slug, 0) + 1
    return found


def broken(path: Path, anchor: str) -> str:
    """What is wrong with a link to `anchor` of `path`: empty when it opens."""
    if not path.exists():
        return f"{path}: no such file"
    if anchor and path.suffix == ".md" and anchor not in anchors(path):
        return f"{path}: no heading #{anchor}"
    return ""


def broken_citations(text: str) -> list[str]:
    """Citations of pages in docs/ that don't open. NAME, PAGE and * stand for any name."""
    problems = []
    for path, anchor in re.findall(r"(?<![\w/.-])(docs/[\w./*-]*\w)(?:#([\w-]+))?", text):
        pattern = re.sub(r"\b(NAME|PAGE)\b", "*", path)
        if "*" not in pattern:
            problems.append(broken(ROOT / path, anchor))
        elif not any(ROOT.glob(pattern)):
            problems.append(f"{path}: no such files")
    return [problem for problem in problems if problem]


def broken_links(text: str, folder: Path, page: Path) -> list[str]:
    """Relative links, and links within `page`, that don't open."""
    links = re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?[^)]*\)", text)
    return [
        problem
        for target, anchor in links
        if not re.match(r"\w+:", target) and (problem := broken(folder / target if target else page, anchor))
    ]


UNOPENED = {
    "a page of facts outside docs/": r"(?<!docs/)\bfacts/\w+",
    "a page of facts without its path": r"(?<![\w/-])(?:mitmproxy|hunyuan|tokenhub|clients|peers|performance)\.md\b",
    "facts without a page": r"\bfacts(?: sheet)?,? (?:sections?|[A-Z]\b)",
    "an issue of a tracker that isn't public": r"\b[Ii]ssues? \d",
    "a paper of the team": r"\bdesign\.md\b|\breview-\d|/work/shared\b",
}
"""What a reader of the repository can't open."""


def unopened(text: str, page: str = "") -> list[str]:
    found = {what: re.search(pattern, text) for what, pattern in UNOPENED.items()}
    if page.startswith("docs/"):  # pages link to their neighbours without the path
        del found["a page of facts without its path"], found["a page of facts outside docs/"]
    return [f"{what}: {match[0]}" for what, match in found.items() if match]


@each("page", [text for text in TEXTS if text != "tests/test_docs.py"])
def test_every_citation_opens(page: str) -> None:
    assert broken_citations(read(page)) + unopened(read(page), page) == []


@each("page", LINKED)
def test_local_links_lead_somewhere(page: str) -> None:
    assert broken_links(read(page), (ROOT / page).parent, ROOT / page) == []


@pytest.mark.parametrize(
    "text",
    [
        "(docs/facts/mitmproxy.md#no-such-heading)",
        "(docs/facts/gone.md)",
        "docs/facts/mitmproxy.md#Hook-Cancelled",
        "docs/pictures/*.png",
    ],
)
def test_a_broken_citation_is_found(text: str) -> None:
    assert len(broken_citations(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "(facts/mitmproxy.md section 0)",
        "(hunyuan.md section 1.2)",
        "(facts section 9)",
        "(issue 4 point 1)",
        "Issue 12",
        "as in design.md",
        "as review-2026 says",
        "/work/shared/captures",
        "peers.md",
    ],
)
def test_what_cannot_be_opened_is_found(text: str) -> None:
    assert unopened(text)


@pytest.mark.parametrize(
    "text",
    [
        "docs/facts/mitmproxy.md#hook-cancelled",
        "BerriAI/litellm#12862",
        "(docs/facts/hunyuan.md).",
        "docs/facts/PAGE.md#anchor",
    ],
)
def test_what_opens_is_no_finding(text: str) -> None:
    assert broken_citations(text) + unopened(text) == []


@pytest.mark.parametrize("link", ["[a](mitmproxy.md#gone)", "[a](gone.md)", "[a](#gone)", "[a](../gone)"])
def test_a_broken_link_is_found(link: str) -> None:
    page = ROOT / "docs/facts/README.md"
    assert len(broken_links(link, page.parent, page)) == 1


def test_anchors_are_those_of_github(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A b: `c_d` – e\n## A\n## A\n```\n# no heading\n```\n## [Link](x) ##\n", encoding="utf-8")
    assert anchors(page) == {"a-b-c_d--e", "a", "a-1", "link"}
