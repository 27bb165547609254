"""HTTPS_PROXY and NO_PROXY in all the ways that they are set."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hunyuan_fix.cli.doctor import variables
from hunyuan_fix.cli.doctor.listeners import Route
from tests.cli.doctor.situations import situation
from tests.end_to_end.processes import LEGACY, Certificates

SECRET = "correct-horse"


@pytest.mark.parametrize(
    ("given", "result", "said"),
    [
        ({}, "warning", "isn't set here"),
        ({"HTTPS_PROXY": ""}, "warning", "isn't set here"),
        ({"ALL_PROXY": "http://127.0.0.1:8080"}, "warning", "ALL_PROXY is not enough"),
        ({"HTTPS_PROXY": "http://127.0.0.1:8080"}, "ok", "leads to the proxy"),
        ({"https_proxy": "http://localhost:8080/"}, "ok", "leads to the proxy"),
        ({"HTTPS_PROXY": "http://127.0.0.1:8081"}, "problem", "leads to http://127.0.0.1:8081, not to"),
        ({"HTTPS_PROXY": "https://127.0.0.1:8080"}, "problem", "must begin with http://"),
        ({"HTTPS_PROXY": "127.0.0.1:8080"}, "problem", "is no address"),
        ({"HTTPS_PROXY": "http://127.0.0.1:http"}, "problem", "is no address"),
        ({"HTTPS_PROXY": "http://me:correct-horse@proxy.company:3128"}, "warning", "http://proxy.company:3128, not"),
        (
            {"HTTPS_PROXY": "http://127.0.0.1:8080", "https_proxy": "http://proxy.company:3128"},
            "problem",
            "https_proxy leads to http://proxy.company:3128",
        ),
    ],
)
def test_https_proxy(certificates: Certificates, given: dict[str, str], result: str, said: str) -> None:
    finding = variables.https_proxy(situation(certificates, **given))
    assert finding.result == result
    assert said in finding.found
    assert bool(finding.advice) == (result != "ok")
    assert SECRET not in finding.found + finding.advice


@pytest.mark.parametrize(
    ("value", "covering"),
    [
        ("", []),
        ("localhost,127.0.0.1,.example.com", []),
        ("hunyuan.cloud.tencent.com.cn, oud.tencent.com", []),
        (f"localhost, {LEGACY}", [LEGACY]),
        (".tencent.com,tencent.com", [".tencent.com", "tencent.com"]),
        ("*.cloud.tencent.com:443", ["*.cloud.tencent.com:443"]),
        ("*", ["*"]),
    ],
)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_no_proxy(certificates: Certificates, name: str, value: str, covering: list[str]) -> None:
    finding = variables.no_proxy(situation(certificates, **{name: value}))
    assert finding.result == ("problem" if covering else "ok")
    if covering:
        assert finding.found == f"{', '.join(covering)} sends calls to {LEGACY} past the proxy"


@pytest.mark.parametrize(
    ("upstream", "better"),
    [
        ("https://tokenhub-intl.tencentmaas.com/v1", "https://tokenhub-intl.tencentcloudmaas.com/v1"),
        ("http://tokenhub.tencentmaas.com/v1", "https://tokenhub.tencentmaas.com/v1"),
        ("https://tokenhub.tencentmaas.com/v1", None),
        ("https://api.lkeap.cloud.tencent.com/api/anthropic", None),
        (f"https://{LEGACY}/v1", None),
        ("http://127.0.0.1:9/v1", None),
        ("", None),
    ],
)
def test_the_running_proxys_own_upstream(certificates: Certificates, upstream: str, better: str | None) -> None:
    at = replace(situation(certificates), route=Route("tokenhub", upstream=upstream))
    found = variables.given_upstream(at)
    assert (found is None) == (better is None)
    assert found is None or found.advice == f"stop the proxy, then {at.run_command()} --upstream {better}"
    assert variables.given_upstream(situation(certificates)) is None
