"""The Chinese of pages and sentences is written as Chinese developers write: terms, punctuation, spaces.

docs/contributing.md ("Terms in Chinese") has the glossary.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.looped import each

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.zh-CN.md", *ROOT.glob("docs/**/*.zh-CN.md")])
HELP = sorted(ROOT.glob("scripts/lib/help/*.zh.txt"))
SENTENCES = sorted([*ROOT.glob("addon/texts/sentences/zh/*.toml"), ROOT / "scripts/lib/zh.toml"])
FILES = [path.relative_to(ROOT).as_posix() for path in (*PAGES, *HELP, *SENTENCES)]

TRANSLATED = (
    "往返",
    "先来先得",
    "密钥谁也不借",
    "令牌文件写坏或删除都不起作用",
    "不可用的接口会暂停一会儿",
    "不声不响",
    "不理会",
    "看得见的说明",
    "什么算一个账号",
    "给别人用",
    "它不做什么",
    "您",
)
"""Words that no developer would say there: they are English in Chinese characters."""
TERMS = {
    "编程助手": "编程智能体",
    "推理内容": "思考内容",
    "证书包": "证书合集",
    "Base URL": "base URL",
    "API key": "API 密钥",
    "关停": "停服",
    "停止服务": "停服",
    "替代模型": "后继模型",
    "后继型号": "后继模型",
    "提示缓存": "提示词缓存",
    "限频": "限流",
    "供应商": "服务商",
    "借出的密钥": "代填的密钥",
    "退出状态": "退出码",
}
"""A word that was used for a thing -> the one that is used everywhere."""
VENDORS_OWN = ("请求限频，请稍后重试",)
"""Sentences of vendors, quoted as they are."""

HAN = r"[\u4e00-\u9fff]"
PUNCTUATION = re.compile(rf".{{0,12}}(?:{HAN}[,;:?!]|[,;:?!]{HAN}|{HAN}\.(?!\w)|{HAN}\()(?!//).{{0,12}}")
SPACING = re.compile(rf".{{0,12}}(?:{HAN}[A-Za-z0-9`]|[A-Za-z0-9`]{HAN}|{HAN} {HAN}).{{0,12}}")
NOT_PROSE = re.compile(r"^```.*?^```$|^    .*$|<!--.*?-->|https?://\S+?(?=[\s`）)]|$)|(?<=\])\([^)]*\)", re.M | re.S)
"""Blocks, comments and addresses."""


def prose(path: Path) -> str:
    """What is there to be read in Chinese; code within it is one backtick, a value one space."""
    text = path.read_text("utf-8")
    text = "\n".join(tomllib.loads(text).values()) if path.suffix == ".toml" else NOT_PROSE.sub("", text)
    for quoted in VENDORS_OWN:
        text = text.replace(quoted, "")
    return text


def plain(text: str) -> str:
    """`text` without code and addresses."""
    return re.sub(r"https?://[^\s`）]+", "", re.sub(r"`[^`\n]*`", "`", text))


@each("file", FILES)
def test_no_phrase_reads_like_a_translation(file: str) -> None:
    assert [phrase for phrase in TRANSLATED if phrase in prose(ROOT / file)] == []


@each("file", FILES)
def test_a_thing_has_one_name(file: str) -> None:
    assert [f"{word}: {term}" for word, term in TERMS.items() if word in prose(ROOT / file)] == []


@each("file", [file for file in FILES if not file.endswith(".txt")])
def test_punctuation_is_full_width(file: str) -> None:
    """Help texts are made of these sentences; their columns and line ends are argparse's."""
    assert PUNCTUATION.findall(plain(prose(ROOT / file))) == []


@each("file", [file for file in FILES if not file.endswith(".txt")])
def test_a_space_stands_between_chinese_and_latin(file: str) -> None:
    assert SPACING.findall(plain(prose(ROOT / file))) == []


def test_the_glossary_has_the_terms() -> None:
    page = (ROOT / "docs/contributing.md").read_text("utf-8")
    table = page.partition("## Terms in Chinese")[2]
    assert [term for term in TERMS.values() if term not in table] == []


@pytest.mark.parametrize("text", ["请求,响应", "好的.", "用curl", "第1个", "中文 中文", "见(这里)"])
def test_what_is_wrong_is_found(text: str) -> None:
    assert PUNCTUATION.search(text) or SPACING.search(text)
