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


def _figures() -> dict[str, Any]:
    gc.collect()  # sockets and tasks in cycles are garbage, not leaks
    fix: Any = ctx.master.addons.get("hunyuan_fix")
    # A store that was slow for a moment is written to again after up to a minute, by one task that waits till then.
    tasks = [name for task in asyncio.all_tasks() if not (name := _name(task)).startswith("hunyuan-fix writes to ")]
    return {
        "tasks": sorted(tasks),
        "idle_upstream": fix.runtime.http_client.idle,
        "under_way": fix.process.dispatcher.under_way,
        "relayed": fix.runtime.relay.under_way,
        "failures": fix.runtime.failures,
    }


def _name(task: asyncio.Task[Any]) -> str:
    """The task's name, or the function that it runs where it was given none."""
    name = task.get_name()
    return getattr(task.get_coro(), "__qualname__", name) if name.startswith(("Task-", "None")) else name


addons = [Probe()]
