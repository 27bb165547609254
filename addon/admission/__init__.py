"""Admission: how many calls are under way for one account, and who is next.

The endpoint allows five calls at once for one account (docs/facts/hunyuan.md#concurrency) and answers the next one
with an error. Here it waits instead. `Leases` make the limit hold over several workers.
"""

from .accounts import Account, account
from .admission import Admission, State
from .leases import Leases, LeasesState
from .queue import QueueState, Slot
from .refusals import NotAdmitted

__all__ = ["Account", "Admission", "Leases", "LeasesState", "NotAdmitted", "QueueState", "Slot", "State", "account"]
