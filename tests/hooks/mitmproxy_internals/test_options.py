from __future__ import annotations

import pytest
from mitmproxy.options import Options

from hunyuan_fix.hooks.mitmproxy_internals import options


@pytest.mark.parametrize(("given", "texts"), [(["any=a"], ["a"]), (["any"], []), (["any=a", "any=b"], ["a", "b"])])
def test_what_the_command_line_gave_waits_as_texts(given: list[str], texts: list[str]):
    waiting = Options()
    waiting.set(*given, defer=True)
    assert options.given_on_command_line(waiting.deferred["any"]) == texts


@pytest.mark.parametrize("value", ["a", True, 3, ["a"], None])
def test_what_the_file_gave_waits_plain(value: object):
    waiting = Options()
    waiting.update_defer(any=value)
    assert waiting.deferred["any"] == value
    assert options.given_on_command_line(waiting.deferred["any"]) is None
