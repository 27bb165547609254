"""What the answer to the list of models proves about a key. Real endpoints: tests/end_to_end/test_first_run.py."""

from __future__ import annotations

import json

import pytest

from hunyuan_fix import profiles
from hunyuan_fix.cli.key_check import judged, unused_proxy

KEY = "sk-0123456789abcdef"
TOKENHUB = "tokenhub.tencentmaas.com"


def body(*ids: object) -> bytes:
    return json.dumps({"data": [{"id": each} for each in ids]}).encode()


@pytest.mark.parametrize(
    ("profile", "status", "text", "result", "words"),
    [
        ("tokenhub", 200, body("x", "hy3"), "accepted", ["models: 2, ", "e.g. hy3"]),
        ("tokenhub", 200, body("x", 3), "accepted", ["models: 1, ", "e.g. x"]),
        ("tokenhub", 200, body(), "accepted", ["models: 0, "]),
        ("zenmux", 200, body("x"), "answered", ["may do for any key"]),
        ("tokenhub", 200, b"<html>", "not tried", ["answers 200 now", "<html>"]),
        ("tokenhub", 200, b'{"data": 1}', "not tried", ["answers 200 now"]),
        ("tokenhub", 404, b"", "not tried", ["doesn't list"]),
        ("tokenhub", 500, b'{"error": {"message": "busy"}}', "not tried", ["answers 500 now: busy"]),
        ("tokenhub", 401, b'{"error": {"message": "no"}}', "refused", ["(401): no", "console.cloud.tencent.com"]),
        ("tokenhub", 403, b'{"msg": "never"}', "refused", ["(403): never"]),
        ("tokenhub", 401, b"\xff\xfe", "refused", ["(401): "]),
        ("tokenhub", 401, b"", "refused", ["(401): –"]),
    ],
)
def test_each_kind_of_answer(profile: str, status: int, text: bytes, result: str, words: list[str]) -> None:
    checked = judged(status, text, TOKENHUB, key=KEY, known=profiles.load(profile))
    assert checked.result == result
    assert all(word in checked.said for word in words), checked.said


def test_a_key_of_another_product_is_told_which() -> None:
    answer = b'{"error": {"message": "invalid api key"}}'
    said = judged(401, answer, TOKENHUB, key="sk-tp-0123456789abcdef", known=profiles.load("tokenhub")).said
    assert (
        "(401): invalid api key. The key begins with sk-tp-: it is one of Tencent's Token Plan or Coding Plan" in said
    )
    assert said.endswith(". Keys for it are made at https://console.cloud.tencent.com/tokenhub/apikey")
    own = judged(401, answer, TOKENHUB, key=KEY, known=profiles.load("tokenhub")).said
    assert "(401): invalid api key. Keys for it" in own


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({}, None),
        ({"HTTPS_PROXY": " "}, None),
        ({"HTTPS_PROXY": "http://[::"}, None),
        ({"HTTPS_PROXY": "http://127.0.0.1:8080"}, None),  # this proxy itself
        ({"HTTPS_PROXY": "http://localhost:4000", "ALL_PROXY": "socks5://10.0.0.1:1080"}, "ALL_PROXY"),
        ({"HTTPS_PROXY": "http://127.0.0.1:3128"}, "HTTPS_PROXY"),
        ({"https_proxy": "http://user:secret@proxy.example:8080"}, "https_proxy"),
    ],
)
def test_a_proxy_of_the_environment_that_is_not_used_is_told(environment: dict[str, str], named: str | None) -> None:
    told = unused_proxy(environment, TOKENHUB, (8080, 4000))
    assert unused_proxy(environment, "127.0.0.1", (8080, 4000)) is None
    assert (told is None) == (named is None)
    assert told is None or (told.startswith(f"{named} is set, ") and "secret" not in told)


@pytest.mark.parametrize("quoted", [KEY, f"****{KEY[-8:]}", f'{KEY}"\x1b[31m\n\n{KEY}'])
def test_neither_the_key_nor_control_characters_are_shown(quoted: str) -> None:
    text = json.dumps({"error": {"message": f"wrong key {quoted}"}}).encode()
    said = judged(401, text, TOKENHUB, key=KEY, known=profiles.load("tokenhub")).said
    assert KEY[-8:] not in said
    assert said.isprintable()
    assert "wrong key" in said


def test_a_long_answer_is_cut() -> None:
    assert len(judged(500, b"x" * 9000, TOKENHUB, key=KEY, known=profiles.load("tokenhub")).said) < 300
