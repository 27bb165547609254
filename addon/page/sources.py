"""What the page is made of: parts of the process that it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..observe.last_exchanges import LastExchanges
from ..observe.minutes import Minutes
from ..workers import Workers
from .contents import Contents


@dataclass(slots=True)
class Sources:
    """The parts. Where several workers serve, the process that has started them has these two alone."""

    exchanges: LastExchanges
    """The last exchanges, by what they have told: names and numbers."""
    minutes: Minutes = field(default_factory=Minutes)
    """What went on in each of the last minutes."""
    workers: Workers = field(default_factory=Workers)
    """Threads for what takes long."""
    contents: Contents | None = None
    """What the last exchanges said; `None`: the workers have it."""
    listens: Callable[[], Sequence[tuple[str, str]]] = lambda: ()
    """Where the proxy takes requests: mitmproxy's mode (`regular`, `reverse`), address and port."""
