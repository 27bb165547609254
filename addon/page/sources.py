"""What the page is made of: parts of the process that it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..access.call_keys import CallKeys
from ..access.secrets import Secrets
from ..cascade import Cascade
from ..config.hot_change import HotChange
from ..observe.last_exchanges import LastExchanges
from ..observe.metrics import Metrics
from ..observe.minutes import Minutes
from ..observe.sinks import Sinks
from ..options import Settings
from ..stores import Chain
from ..workers import Workers
from .contents import Contents


@dataclass(slots=True)
class Running:
    """The parts of a process that serves clients itself."""

    settings: Callable[[], Settings]
    """The options in force."""
    config: HotChange
    secrets: Secrets
    call_keys: CallKeys
    unusable: Callable[[], list[Path]]
    """Files that can't be used as they are now."""
    cascade: Cascade
    chain: Chain
    """Where descriptions are kept."""
    sinks: Sinks
    metrics: Metrics


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
    running: Running | None = None
    """`None`: the workers are."""
