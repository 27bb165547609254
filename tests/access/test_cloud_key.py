from __future__ import annotations

import pytest

from hunyuan_fix.access.cloud_key import ID_VARIABLE, KEY_VARIABLE, TOKEN_VARIABLE, CloudKey
from hunyuan_fix.config.option import OptionError


def key(*given: str) -> CloudKey:
    return CloudKey(dict(zip((ID_VARIABLE, KEY_VARIABLE, TOKEN_VARIABLE), given, strict=False)))


def test_the_variables_as_one_key():
    assert key("AKID", " secret ").value == "AKID|secret"
    assert key("AKID", "secret", "tok/en==").value == "AKID|secret||tok/en=="
    for none in (key(), key("AKID"), key("", "secret"), key("", "", "token")):
        assert none.value is None
    for good in (key(), key("AKID", "secret"), key("AKID", "secret", "token"), key("", "", "token")):
        good.check()


@pytest.mark.parametrize(
    "given",
    [
        *(("AKID",), ("", "verysecret"), ("AKID", "very secret"), ("1|AKID", "verysecret"), ("AKID", "very|secret")),
        *(("AKID", "verysecret", "to ken"), ("AKID", "verysecret", "tok|en"), ("AK\nID", "verysecret")),
    ],
)
def test_variables_that_cannot_be_used_are_named_and_not_quoted(given: tuple[str, ...]):
    with pytest.raises(OptionError) as refused:
        key(*given).check()
    said = str(refused.value)
    assert "TENCENTCLOUD_SECRET_" in said
    assert "secret " not in said.replace("SECRET", "")
    assert "verysecret" not in said
