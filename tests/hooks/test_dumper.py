from __future__ import annotations

import pytest
from mitmproxy.options import Options

from hunyuan_fix.hooks import dumper

OURS = "~meta ^hunyuan_fix:"


def mitmdump(**given: object) -> Options:
    """The options of mitmdump, as its user set them."""
    made = Options()
    made.add_option("flow_detail", int, 1, "")
    made.add_option("dumper_filter", str | None, None, "")
    made.update(**given)
    return made


def quietened(options: Options, *, everything: bool = False) -> tuple[object, object]:
    dumper.quieten(options, OURS, everything=everything)
    return options.dumper_filter, options.flow_detail


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({}, (OURS, 0)),
        ({"flow_detail": 0}, (None, 0)),
        ({"flow_detail": 2}, (OURS, 2)),
        ({"flow_detail": 4}, (OURS, 4)),
        ({"dumper_filter": "~u secret"}, ("~u secret", 1)),
        ({"dumper_filter": "~u secret", "flow_detail": 3}, ("~u secret", 3)),
    ],
)
def test_mitmdump_shows_no_flows_unless_its_user_asked(given: dict[str, object], left: tuple[object, object]):
    options = mitmdump(**given)
    assert quietened(options) == left
    assert quietened(options) == left


@pytest.mark.parametrize("detail", [0, 1, 2])
def test_with_everything_mitmdump_is_as_ever_also_when_that_comes_later(detail: int):
    options = mitmdump(flow_detail=detail)
    assert quietened(options, everything=True) == (None, detail)
    quiet = quietened(options)
    assert quietened(options, everything=True) == (None, detail)
    assert quietened(options) == quiet


def test_mitmproxy_and_mitmweb_have_no_dumper():
    dumper.quieten(Options(), OURS, everything=False)
