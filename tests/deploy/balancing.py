"""HAProxy with the configuration of deploy/haproxy before a real proxy and a machine that refuses connections."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from scripts.lib.processes import free_port
from tests.deploy.programs import DEPLOY, found
from tests.deploy.running import Machine
from tests.end_to_end.processes import process

FILE = DEPLOY / "haproxy/haproxy.cfg"


@asynccontextmanager
async def balanced(machine: Machine, folder: Path) -> AsyncIterator[int]:
    """The port that stands for 4000. The second machine is ready by its probe, and refuses."""
    text = FILE.read_text("utf-8")
    ports = {4000: free_port(), 8080: free_port()}
    for of_file, own in ((4000, machine.reverse_port), (8080, machine.port)):
        text = text.replace(f"bind :{of_file}", f"bind 127.0.0.1:{ports[of_file]}")
        text = text.replace(f"192.0.2.11:{of_file}", f"127.0.0.1:{own}")
        text = text.replace(f"192.0.2.12:{of_file}", f"127.0.0.1:{free_port()}")
    text = text.replace("check port 9464", f"check port {machine.admin_port}")
    assert not re.search(r"192\.0\.2|bind :", text)
    (folder / "haproxy.cfg").write_text(text, "utf-8")
    with process("haproxy", [found("haproxy"), "-db", "-f", str(folder / "haproxy.cfg")]):
        async with asyncio.timeout(30):
            while not await _listens(ports[4000]):
                await asyncio.sleep(0.02)
        yield ports[4000]


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
