from __future__ import annotations

from hunyuan_fix import profiles
from hunyuan_fix.admission import Account, account
from hunyuan_fix.options import parse

HUNYUAN, TOKENHUB = profiles.load("hunyuan"), profiles.load("tokenhub")
KEY = "Bearer sk-abcdefghijklmnop"


def test_each_key_is_an_account() -> None:
    settings = parse({})
    mine, yours = account(HUNYUAN, KEY, settings), account(HUNYUAN, "Bearer sk-other", settings)
    assert mine == account(HUNYUAN, KEY, settings)
    assert len({mine.name, yours.name, account(HUNYUAN, None, settings).name}) == 3
    assert mine.name != account(TOKENHUB, KEY, settings).name
    assert account(HUNYUAN, None, settings).name.startswith("hunyuan:"), "no key is one too"
    assert mine.limit == HUNYUAN.concurrency


def test_the_name_shows_no_key() -> None:
    name = account(HUNYUAN, KEY, parse({})).name
    assert name.startswith("hunyuan:")
    assert not any(KEY[at : at + 4] in name for at in range(len("Bearer "), len(KEY) - 4))


def test_all_keys_of_a_profile_together() -> None:
    settings = parse({"hunyuan_concurrency_scope": "profile"})
    assert account(HUNYUAN, KEY, settings) == account(HUNYUAN, None, settings) == Account("hunyuan", 5)


def test_the_limit_is_the_option_s_or_the_profile_s() -> None:
    assert account(HUNYUAN, KEY, parse({"hunyuan_concurrency": "2"})).limit == 2
    assert account(HUNYUAN, KEY, parse({"hunyuan_concurrency": "0"})).limit == 0


def test_a_header_that_is_no_utf_8_has_an_account_too() -> None:
    assert account(HUNYUAN, b"Bearer \xff".decode(errors="surrogateescape"), parse({})).name
