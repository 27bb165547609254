from __future__ import annotations

import pytest

from hunyuan_fix.config import checks
from hunyuan_fix.config.option import OptionError
from hunyuan_fix.options import OPTIONS


def test_given_values_are_made_plain():
    given = {"hunyuan_cascade": ["never"], "hunyuan_intercept_all": [], "hunyuan_allow_open": ["False"]}
    assert checks.of_command_line(given, OPTIONS) == (
        {"hunyuan_cascade": "never", "hunyuan_intercept_all": True, "hunyuan_allow_open": False},
        [],
    )
    written = {
        "hunyuan_redact": False,
        "hunyuan_vision_concurrency": 4,
        "hunyuan_hosts": ["localhost", "127.0.0.1=tokenhub"],
        "hunyuan_profile": None,
    }
    assert checks.of_mitmproxy_config(written, OPTIONS) == (
        {
            "hunyuan_redact": False,
            "hunyuan_vision_concurrency": "4",
            "hunyuan_hosts": "localhost,127.0.0.1=tokenhub",
            "hunyuan_profile": "",
        },
        [],
    )


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("hunyuan_visoin_model", ["x"], "no such option; did you mean hunyuan_vision_model?"),
        ("hunyuan_zzz", ["x"], "no such option"),
        ("hunyuan_intercept_all", ["maybe"], "true and false"),
        ("hunyuan_cascade", [], "needs a value"),
        ("hunyuan_hosts", ["a", "b"], "more than once"),
    ],
)
def test_problems_that_would_pass_in_silence(name: str, given: list[str], said: str):
    values, (problem,) = checks.of_command_line({name: given}, OPTIONS)
    assert problem.startswith(name)
    assert said in problem
    assert values == {}


@pytest.mark.parametrize(("name", "given"), [("hunyuan_allow_open", "perhaps"), ("hunyuan_zzz", 1)])
def test_what_mitmproxys_own_file_can_not_say(name: str, given: object):
    values, (problem,) = checks.of_mitmproxy_config({name: given}, OPTIONS)
    assert problem.startswith(f"{name}: ")
    assert values == {}


def test_bodies_must_not_be_streamed_past():
    checks.check_mitmproxy(lambda _: None)
    with pytest.raises(OptionError, match="stream_large_bodies=1m"):
        checks.check_mitmproxy({"stream_large_bodies": "1m"}.__getitem__)
