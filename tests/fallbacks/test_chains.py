from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.fallbacks.chains import MOST_ENTRIES, Chains, Entry, chains

NAMES: dict[str, list[str]] = {
    "hy3>hy3-preview": ["hy3-preview"],
    "hy3 > hy3-preview\n> moonshot:kimi-k2.6": ["hy3-preview", "kimi-k2.6@moonshot"],
    "hy3>openrouter:deepseek/deepseek-r1:free": ["deepseek/deepseek-r1:free@openrouter"],
    "hy3>:qwen3:8b": ["qwen3:8b"],
    "*>http://10.0.0.5:8000/v1:qwen3:8b": ["qwen3:8b@10.0.0.5:8000"],
    "hy3>http://[::1]:8000/v1:qwen3": ["qwen3@[::1]:8000"],
    "hy3>http://gpu:8000:qwen3": ["qwen3@gpu:8000"],
    "hy3>https://gpu.example:qwen3": ["qwen3@gpu.example"],
    "hy3>openai@https://gpu.example/v1:gpt-x": ["gpt-x@gpu.example"],
    "hy3>https://gpu.example/a/b/:m": ["m@gpu.example"],
}


@pytest.mark.parametrize(("text", "names"), NAMES.items(), ids=NAMES.keys())
def test_entries_in_their_order(text: str, names: list[str]):
    (chain,) = chains(text)
    assert [entry.name for entry in chain.entries] == names


def test_where_entries_are():
    (chain,) = chains("hy3>hy3-preview>moonshot:kimi-k2.6>kimi-coding:k>openai@http://10.0.0.5:8000/v1/:m")
    same, vendor, profile, url = chain.entries
    assert same == Entry("hy3-preview")
    assert (vendor.profile, vendor.base, profile.profile) == ("moonshot", None, "kimi-coding")
    assert (url.profile, str(url.base)) == ("openai", "http://10.0.0.5:8000/v1")


def test_one_that_names_the_model_counts_before_patterns():
    found = chains("*>a, hy*>b, hy3>c, glm-?>d")
    assert [chain.entries[0].model for model in ("hy3", "hy4", "glm-5") if (chain := found.of(model))] == [
        "c",
        "a",
        "a",
    ]
    assert chains("hy*>b, *>a").of("hy4") == chains("hy*>b").of("hy4")
    assert chains("hy3>c").of("hy3-preview") is None
    assert chains("a[1]>c").of("a1") is None
    assert chains("*>c").of("x" * 1000) is None


def test_none():
    assert not chains("")
    assert not chains(" , ")
    assert chains("hy3>a")
    assert not Chains({})


WRONG: dict[str, str] = {
    "hy3": "is not",
    "hy3>": "is not",
    ">hy3": "is not",
    "hy3>>a": "is not",
    "hy3>moonshoot:kimi": "did you mean moonshot",
    "hy3>nobody:kimi": "unknown",
    "hy3>qwen3:8b": ":qwen3:",
    "hy3>a>a": "comes back to a",
    "hy3>hy3": "comes back to hy3",
    "hy3>moonshot:k>hy3": "comes back to hy3",
    "hy3>moonshot:k>moonshot:k": "comes back to k@moonshot",
    "hy3>a,hy3>b": "two chains",
    "*>a,*>b": "two chains",
    "moonshot:kimi>hy3": "begins a chain",
    "https://x.example/v1:m>hy3": "begins a chain",
    "hy3>tencent:hy3": "name one of",
    "hy3>hunyuan:hunyuan-turbos": "shut down",
    "hy3>anthropic:claude-x": "write its base URL",
    "hy3>http://gpu:8000": "BASE-URL:MODEL",
    "hy3>http://gpu/v1": "BASE-URL:MODEL",
    "hy3>http://user:password@gpu/v1:m": "BASE-URL:MODEL",
    "hy3>http://gpu/v1?a=b:m": "without user name, query or fragment",
    "hy3>ftp://gpu/v1:m": "BASE-URL:MODEL",
    "hy3>nothing@http://gpu/v1:m": "accepted are",
    "hy3>a*": "no model id",
    "hy3>模型": "no model id",
    "hy3>" + ">".join(f"m{number}" for number in range(MOST_ENTRIES + 1)): "at most",
    ",".join(f"a{number}>b" for number in range(201)): "at most",
    "hy3>" + "x" * 201: "no model id",
}


@pytest.mark.parametrize(("text", "why"), WRONG.items(), ids=[text[:40] for text in WRONG])
def test_what_is_refused(text: str, why: str):
    with pytest.raises(ValueError, match=re.escape(why)) as refused:
        chains(text)
    assert "password" not in str(refused.value)


@given(st.text(alphabet="ahy3*?>:,@/. \n0-", max_size=60))
def test_anything_is_read_or_refused_in_words(text: str):
    try:
        found = chains(text)
    except ValueError as refused:
        assert str(refused)
    else:
        assert all(chain.entries for chain in found)
