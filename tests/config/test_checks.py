from __future__ import annotations

from dataclasses import dataclass

import pytest

from hunyuan_fix.config import checks
from hunyuan_fix.config.option import OptionError
from hunyuan_fix.options import OPTIONS


@dataclass
class FromCommandLine:
    """Stands for what `--set` leaves in `options.deferred`."""

    texts: list[str]


def texts_of(value: object) -> list[str] | None:
    return value.texts if isinstance(value, FromCommandLine) else None


def test_given_values_are_made_plain():
    deferred: dict[str, object] = {
        "hunyuan_cascade": FromCommandLine(["never"]),
        "hunyuan_intercept_all": FromCommandLine([]),
        "hunyuan_allow_open": FromCommandLine(["false"]),
        "hunyuan_vision_concurrency": 4,
        "hunyuan_hosts": ["localhost", "127.0.0.1=tokenhub"],
        "hunyuan_profile": None,
        "other_option": FromCommandLine(["a", "b"]),
    }
    assert checks.settle_given(deferred, OPTIONS, texts_of) == []
    assert deferred == {
        "hunyuan_cascade": "never",
        "hunyuan_intercept_all": True,
        "hunyuan_allow_open": False,
        "hunyuan_vision_concurrency": "4",
        "hunyuan_hosts": "localhost,127.0.0.1=tokenhub",
        "hunyuan_profile": "",
        "other_option": FromCommandLine(["a", "b"]),
    }


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("hunyuan_visoin_model", FromCommandLine(["x"]), "no such option; did you mean hunyuan_vision_model?"),
        ("hunyuan_zzz", FromCommandLine(["x"]), "no such option"),
        ("hunyuan_intercept_all", FromCommandLine(["maybe"]), "true and false"),
        ("hunyuan_cascade", FromCommandLine([]), "needs a value"),
        ("hunyuan_hosts", FromCommandLine(["a", "b"]), "more than once"),
        ("hunyuan_allow_open", "perhaps", "true and false"),
    ],
)
def test_problems_that_would_pass_in_silence(name: str, given: object, said: str):
    deferred = {name: given}
    (problem,) = checks.settle_given(deferred, OPTIONS, texts_of)
    assert problem.startswith(name)
    assert said in problem
    assert deferred == {}


def test_bodies_must_not_be_streamed_past():
    checks.check_mitmproxy(lambda _: None)
    with pytest.raises(OptionError, match="stream_large_bodies=1m"):
        checks.check_mitmproxy({"stream_large_bodies": "1m"}.__getitem__)
