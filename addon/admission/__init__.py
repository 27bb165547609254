"""Admission: how many calls are under way for one account, and who is next.

The endpoint allows five calls at once for one account (docs/facts/hunyuan.md#concurrency) and answers the next one
with an error. Here it waits instead. `Leases` make the limit hold over several workers.
"""

from addon.admission.accounts import Account, account
from addon.admission.admission import Admission, State
from addon.admission.leases import Leases, LeasesState
from addon.admission.queue import QueueState, Slot
from addon.admission.refusals import NotAdmitted

__all__ = ["Account", "Admission", "Leases", "LeasesState", "NotAdmitted", "QueueState", "Slot", "State", "account"]
