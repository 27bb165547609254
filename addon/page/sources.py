"""What the page is made of: parts of the process that it shows."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..observe.last_exchanges import LastExchanges
from ..workers import Workers
from .contents import Contents


@dataclass(slots=True)
class Sources:
    """The parts. Where several workers serve, the process that has started them has the first alone."""

    exchanges: LastExchanges
    """The last exchanges, by what they have told: names and numbers."""
    workers: Workers = field(default_factory=Workers)
    """Threads for what takes long."""
    contents: Contents | None = None
    """What the last exchanges said; `None`: the workers have it."""
