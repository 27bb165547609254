"""Admission: how many calls of one account are under way, and which one is next.

The endpoint allows five calls at once for one account (docs/facts/hunyuan.md#concurrency) and answers the next one
with an error. Here it waits instead. `Leases` make the limit hold over several workers.
"""

from .accounts import Account, account
from .admission import Admission, State
from .leases import Leases, LeasesState
from .queue import QueuedCall, QueueState, Slot
from .refusals import CallRefused, QueueFull, QueueTimeout

__all__ = [
    "Account",
    "Admission",
    "CallRefused",
    "Leases",
    "LeasesState",
    "QueueFull",
    "QueueState",
    "QueueTimeout",
    "QueuedCall",
    "Slot",
    "State",
    "account",
]
