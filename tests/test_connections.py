"""Who may connect. The other hooks are shown with mitmproxy around them: test_hunyuan_fix, test_arrival, end_to_end."""

from __future__ import annotations

import pytest
from mitmproxy.test import taddons, tflow

from addon.connections import Connections
from addon.hunyuan_fix import HunyuanFix


@pytest.mark.parametrize("running", [False, True])
def test_nobody_is_let_in_while_mitmproxy_starts(running: bool):
    """mitmproxy opens its ports before it has certificates; the error of a request that fails then ends its start."""
    fix = HunyuanFix()
    with taddons.context(fix):
        fix.is_running = running
        client = tflow.tclient_conn()
        client.sockname = ("127.0.0.1", 8080)
        Connections(fix).client_connected(client)
    assert (client.error is None) is running
