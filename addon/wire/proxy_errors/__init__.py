"""The catalogue of errors that the proxy answers with, by room. docs/errors.md is made from it.

Rules for an entry:

- Its status says whether a retry can help. Clients send what got a 400 once, but what gets a lasting 429 or 5xx up to
  30 times (docs/facts/clients.md#retries): an error that a retry can't fix has status 400, 401, 403, 404 or 413, or
  `retry=False`.
- Its message says what is wrong, where, and what to do, without any message content or key.
- Code and status are an interface: clients act on them, so they don't change, in no language.

Use: `proxy_errors.QUEUE_FULL(limit=4, waiting=9, seconds=3, retry_after=2.4).response()`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from . import (
    access,
    admin,
    agents,
    answers,
    budgets,
    kept,
    models,
    native,
    process,
    queue,
    reading,
    recording,
    unreachable,
    vendor,
    vision,
)
from .access import *
from .admin import *
from .agents import *
from .answers import *
from .budgets import *
from .entry import IN_STREAM as IN_STREAM
from .entry import UPSTREAM_STATUS as UPSTREAM_STATUS
from .entry import Entry as Entry
from .kept import *
from .models import *
from .native import *
from .process import *
from .queue import *
from .reading import *
from .recording import *
from .unreachable import *
from .vendor import *
from .vision import *

ROOMS: Final = (
    access,
    native,
    reading,
    kept,
    models,
    agents,
    budgets,
    queue,
    unreachable,
    answers,
    recording,
    vision,
    vendor,
    process,
    admin,
)
"""The modules of the catalogue, in the order of docs/errors.md. The first line of each docstring is its heading."""
CATALOGUE: Final[Mapping[str, Entry]] = {
    name: entry for room in ROOMS for name, entry in vars(room).items() if isinstance(entry, Entry)
}
"""Every error that the proxy can answer with, by its name here."""
