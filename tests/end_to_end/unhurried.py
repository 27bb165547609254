"""A mitmproxy script, to be loaded before the addon: its stores have all the time that a busy machine may need."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from hunyuan_fix.admission.leases import Leases
from hunyuan_fix.stores import level, redis

_PATIENT = 30.0

vars(level)["BUDGET"] = vars(redis)["TIMEOUT"] = _PATIENT
_defaults = Leases.__init__.__kwdefaults__
assert _defaults
_defaults["budget"] = _PATIENT
