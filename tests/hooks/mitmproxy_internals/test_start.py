from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from mitmproxy.addons.errorcheck import ErrorCheck
from mitmproxy.master import Master
from mitmproxy.options import Options

from hunyuan_fix.hooks.mitmproxy_internals import start


@pytest.fixture
async def check() -> AsyncIterator[ErrorCheck]:
    made = ErrorCheck(repeat_errors_on_stderr=True)
    yield made
    made.logger.uninstall()


async def test_a_start_is_over_when_errors_are_looked_for_no_more(check: ErrorCheck):
    assert not start.is_over(check)
    await check.shutdown_if_errored()
    check.finish()
    assert start.is_over(check)


async def test_the_check_is_found_where_there_is_one(check: ErrorCheck):
    master = Master(Options())
    assert start.errorcheck(master) is None
    master.addons.add(check)
    assert start.errorcheck(master) is check
    assert start.hides_the_log(check)
