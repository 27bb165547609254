"""An admin server on a free port of loopback, in the test's own process, and what it is asked with."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from hunyuan_fix import events
from hunyuan_fix.events import Event
from hunyuan_fix.exchange import Exchange, JsonObject
from hunyuan_fix.observe.admin.admin import Admin
from hunyuan_fix.observe.admin.rooms import Rooms
from hunyuan_fix.observe.admin.settings import Address, AdminSettings
from hunyuan_fix.observe.done import done
from hunyuan_fix.observe.last_exchanges import LastExchanges

TOKEN = "t" * 40
BEARER = {"authorization": f"Bearer {TOKEN}"}
HERE = Address("127.0.0.1", 0)
_numbers = itertools.count()


def rooms() -> Rooms:
    return Rooms(
        metrics=lambda _: ("text/plain; version=0.0.4; charset=utf-8", b"hunyuan_toys_total 3\n"),
        is_started=lambda: True,
    )


@asynccontextmanager
async def serving(
    *,
    token: str = "",
    address: Address = HERE,
    hosts: frozenset[str] = frozenset(),
    shown: Rooms | None = None,
    trust_loopback: bool = True,
) -> AsyncIterator[Admin]:
    admin = Admin(shown or rooms(), {"HUNYUAN_ADMIN_TOKEN": token})
    admin.configure(AdminSettings(admin=address, admin_hosts=hosts, trust_loopback=trust_loopback))
    admin.start()
    try:
        yield admin
    finally:
        await admin.aclose()


def asking(admin: Admin, **options: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=admin.url, trust_env=False, timeout=30, **options)


async def raw(admin: Admin, request: bytes) -> bytes:
    """What the server answers to these bytes until it closes the connection."""
    assert admin.address is not None
    reader, writer = await asyncio.open_connection(admin.address.host, admin.address.port)
    try:
        writer.write(request)
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def an_exchange(ring: LastExchanges, at: float = 1000.0, *, over: bool = True, **told: Any) -> str:
    """Let `ring` hear an exchange; returns its id. `told`: fields of its `Done`."""
    id = f"00000000-0000-4000-8000-{next(_numbers):012d}"
    first = ("profile", "dialect", "client", "program")
    known: JsonObject = {name: told[name] for name in first if name in told}
    ring.hear(Event(events.CAME, id, at, known))
    if over:
        data = {**done(Exchange(), "200", "answered", 200), **told}
        ring.hear(Event(events.DONE, id, at + data["ms"] / 1000, data))
    return id


async def events_of(stream: httpx.Response) -> AsyncIterator[tuple[str, Mapping[str, Any], str]]:
    """The events of a stream: name, data, id."""
    name = data = id = ""
    async for line in stream.aiter_lines():
        field, _, value = line.partition(": ")
        match field:
            case "event":
                name = value
            case "data":
                data = value
            case "id":
                id = value
            case "" if data:
                yield name, json.loads(data), id
                name = data = id = ""


def token_file(folder: Path, token: str = TOKEN, mode: int = 0o600) -> Path:
    file = folder / "admin-token"
    file.write_text(f"{token}\n")
    file.chmod(mode)
    return file
