"""A mitmproxy script that says what its own process holds. The soak loads it before the addon and asks by the proxy."""

import asyncio
import gc
import json
from typing import Any

from mitmproxy import ctx, http

HOST = "soak.invalid"


class Probe:
    """Answers `http://soak.invalid/` with figures as JSON."""

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Answer before the addon looks at the request: it takes what is answered for none of its business."""
        if flow.request.host == HOST:
            flow.response = http.Response.make(200, json.dumps(_figures()), {"content-type": "application/json"})


def _figures() -> dict[str, int]:
    gc.collect()  # sockets and tasks in cycles are garbage, not leaks
    fix: Any = ctx.master.addons.get("hunyuan_fix")
    # A store that was slow for a moment is written to again after up to a minute, by one task that waits till then.
    tasks = [task for task in asyncio.all_tasks() if not task.get_name().startswith("hunyuan-fix writes to ")]
    return {
        "tasks": len(tasks),
        "idle_upstream": fix.runtime.http_client.idle,
        "under_way": fix.process.dispatcher.under_way,
        "relayed": fix.runtime.relay.under_way,
        "failures": fix.runtime.failures,
    }


addons = [Probe()]
