"""Keys in texts are known by what they look like; texts that only look a little like one stay."""

from __future__ import annotations

import json
import re
import time
from importlib import resources
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hunyuan_fix.wire import secret_shapes
from hunyuan_fix.wire.secret_shapes import Secret, find, hidden

LETTERS = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7"
"""Put together here, so that no scanner takes this file for one that holds keys."""


def letters(count: int) -> str:
    return (LETTERS * (count // len(LETTERS) + 1))[:count]


PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\n" + "\n".join(letters(64) for _ in range(12)) + "\n-----END RSA PRIVATE KEY-----"
)
FOUND = [
    ("API key", "sk-" + letters(48)),
    ("API key", "sk-ant-api03-" + letters(80) + "-AA"),
    ("API key", "sk-proj-" + letters(60)),
    ("API key", "hf-" + letters(43)),
    ("Tencent Cloud key", "AKID" + letters(32)),
    ("Tencent Cloud key", 'SecretKey="' + letters(32) + '"'),
    ("Tencent Cloud key", "TENCENTCLOUD_SECRET_KEY=" + letters(32)),
    ("AWS key", "AKIA" + "ABCDEFGH234567QX"),
    ("AWS key", "aws_secret_access_key = " + letters(40)),
    ("Alibaba Cloud key", "LTAI" + letters(20)),
    ("Google key", "AIza" + letters(35)),
    ("Hugging Face token", "hf_" + letters(34)),
    ("GitHub token", "ghp_" + letters(36)),
    ("GitHub token", "github_pat_" + letters(22) + "_" + letters(59)),
    ("GitLab token", "glpat-" + letters(20)),
    ("Slack token", "xoxb-1234567890-1234567890-" + letters(24)),
    ("Slack webhook", "https://hooks.slack.com/services/T0000/B0000/" + letters(24)),
    ("Stripe key", "sk_live_" + letters(24)),
    ("npm token", "npm_" + letters(36)),
    ("PyPI token", "pypi-" + letters(120)),
    ("SendGrid key", "SG." + letters(22) + "." + letters(43)),
    ("JSON Web Token", "eyJ" + letters(20) + ".eyJ" + letters(60) + "." + letters(43)),
    ("token", "Authorization: Bearer " + letters(40)),
    ("token", "authorization: bearer " + letters(40)),
    ("private key", PEM),
    ("API key", "gsk_" + letters(52)),
    ("API key", "xai-" + letters(80)),
    ("API key", "r8_" + letters(37)),
    ("API key", "bce-v3/ALTAK-" + letters(20) + "/" + "0123456789abcdef" * 3),
    ("Volcengine key", "AKLT" + letters(44)),
    ("webhook", "/cgi-bin/webhook/send?key=0d1e2f30-aaaa-bbbb-cccc-0123456789ab"),
    ("webhook", "https://oapi.dingtalk.com/robot/send?access_token=" + "0123456789abcdef" * 4),
    ("webhook", "https://open.feishu.cn/open-apis/bot/v2/hook/0d1e2f30-aaaa-bbbb-cccc-0123456789ab"),
    ("Telegram token", "123456789:AA" + letters(33)),
    ("Vault token", "hvs." + letters(90)),
    ("Azure key", "AccountName=a;AccountKey=" + letters(86) + "=="),
    ("age key", "AGE-SECRET-KEY-1" + "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L" + "QPZRY9X8GF2TVDW0S3JN54KHCE"),
    ("password", "postgres://anna:s3cret-word@db.example:5432/x"),
    ("password", "redis://:s3cret-word@db.example"),
]
STAYS = [
    "task-force of risk-averse sk-learn users: pip install scikit-learn, sk-short",
    "sk-ecdsa-sha2-nistp256@openssh.com sk-ssh-ed25519-cert-v01@openssh.com sk-estimator-doc-link",
    "The bearer authentication_method_of_the_flow",
    "The AKID is in the console. See AKIDs, and AKIAB.",
    "hf_hub_download(repo_id), ghp_ and gho_ are prefixes of tokens",
    "secret_key = os.environ['SECRET_KEY']",
    "secretKey: process.env.TENCENTCLOUD_SECRET_KEY_OF_THE_PROJECT,",
    "Bearer $API_KEY, Bearer token, the bearer of bad news, Bearer {{ token }}",
    "https://example.com:8080/a@b, http://user@host/, git+ssh://git@github.com/x/y",
    "postgres://${USER}:${PASSWORD}@host/db",
    "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----\nMFkw\n-----END CERTIFICATE-----",
    "eyJhbGciOi is how a token begins; eyJ.eyJ.x",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA" + "sk/AKID" * 20,
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "npm_config_registry=https://registry.example npm_lifecycle_event=test",
    "call_00_abcdefghijklmnopqrstuvwxyz0123456789, chatcmpl-abcdefghijklmnopqrstuvwxyz",
    "x = 'pypi-attestations', SG.sendgrid is a module",
]


@pytest.mark.parametrize(("name", "text"), FOUND)
@pytest.mark.parametrize("around", ["{}", "a {} b", "key={}\n", "`{}`", '{{"a": "{}"}}', "({})"])
def test_each_is_found(name: str, text: str, around: str) -> None:
    whole = around.format(text)
    (secret,) = find(whole)
    assert secret.name == name
    shown = hidden(whole)
    assert f"[{name} hidden]" in shown
    value = max(re.split(r"[^A-Za-z0-9+/_.-]+", text), key=len)
    assert value not in shown


@pytest.mark.parametrize("text", STAYS)
def test_what_only_looks_a_little_like_one_stays(text: str) -> None:
    assert hidden(text) == text


@pytest.mark.parametrize(("name", "text"), FOUND)
def test_json_stays_json(name: str, text: str) -> None:
    inner = json.dumps({"a": text, "b": "é"})
    for value in ({"text": text, "n": [1, text]}, {"text": inner}, {"text": json.dumps({"text": inner})}):
        shown = hidden(json.dumps(value))
        assert json.loads(shown) != value
        assert f"[{name} hidden]" in shown


def test_others_write_what_they_like_in_their_place() -> None:
    key = "ghp_" + letters(36)
    seen: list[Secret] = []

    def write(secret: Secret) -> str:
        seen.append(secret)
        return "*"

    assert hidden(f"a {key} b {key}", write) == "a * b *"
    assert [(one.start, one.end) for one in seen] == [(2, 42), (45, 85)]


@given(some.text() | some.lists(some.sampled_from([text for _, text in FOUND] + STAYS + ['"', "\\", " "])).map("".join))
def test_what_is_hidden_is_hidden_and_all_else_stays(text: str) -> None:
    found = find(text)
    assert all(one.end <= other.start for one, other in pairwise(found))
    kept, place = [], 0
    for one in found:
        kept.append(text[place : one.start])
        place = one.end
    kept.append(text[place:])
    assert hidden(text, lambda _: "\0") == "\0".join(kept)


BEGINNINGS = re.findall(
    r'"([^"]+)"',
    "".join(
        re.findall(
            r"begins = \[(.*)\]",
            resources.files(secret_shapes.__package__).joinpath("secret_shapes.toml").read_text("utf-8"),
        )
    ),
)


@pytest.mark.parametrize("word", BEGINNINGS)
def test_time_grows_with_the_text_whatever_it_is(word: str) -> None:
    def seconds(count: int) -> float:
        tries = []
        for filler in ("", "a", " ", "-", "a" * 50):
            text = (word + filler) * (count // len(word + filler))
            began = time.process_time()
            find(text)
            tries.append(time.process_time() - began)
        return max(tries)

    find("warm")
    short, long = (min(seconds(size) for _ in range(3)) for size in (10_000, 20_000))
    assert long < 4 * short + 0.02
