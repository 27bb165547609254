"""Keys of another product than the endpoint's, told by their first characters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hunyuan_fix.cli.doctor.keys_given import given_key, of_another_product
from hunyuan_fix.cli.doctor.listeners import Route
from tests.cli.doctor.situations import situation
from tests.end_to_end.processes import Certificates

CN, LKEAP = "https://tokenhub.tencentmaas.com", "https://api.lkeap.cloud.tencent.com"
PLAN = "sk-tp-0123456789"


@pytest.mark.parametrize(
    ("key", "url", "other"),
    [
        (PLAN, f"{CN}/v1", True),
        (f"  {PLAN}\n", f"{CN}/v1", True),
        (PLAN, f"{CN}/plan/v3", False),
        (PLAN, f"{CN}/planets/v3", True),
        (PLAN, f"{LKEAP}/plan/anthropic", False),
        (PLAN, f"{LKEAP}/coding/v3/", False),
        ("sk-ant-0123456789", CN, True),
        ("sk-0123456789", f"{CN}/v1", False),
        ("", f"{CN}/v1", False),
        (PLAN, "http://127.0.0.1:4000/v1", False),
        (PLAN, "", False),
    ],
)
def test_what_a_key_is_for(key: str, url: str, other: bool) -> None:
    assert (of_another_product(key, url) is not None) is other


def test_the_key_of_the_environment_is_held_against_the_running_proxys_endpoint(certificates: Certificates) -> None:
    to_hub, to_plan = Route("tokenhub", upstream=f"{CN}/v1"), Route("tokenhub-plan", upstream=f"{CN}/plan/v3")
    at = replace(situation(certificates, HUNYUAN_API_KEY=PLAN), upstream=None, route=to_hub)
    found = given_key(at)
    assert found
    assert (found.id, found.result) == ("key/other-product", "warning")
    assert "TokenHub (tokenhub.tencentmaas.com)" in found.found
    assert PLAN not in found.found + found.advice
    assert "sk-tp-" in found.found
    assert given_key(replace(at, route=to_plan)) is None
    assert given_key(replace(at, environment={})) is None
