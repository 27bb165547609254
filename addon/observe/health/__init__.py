"""Whether all that the proxy needs works: checks by name, each healthy, degraded or unhealthy.

A check is a function that looks at one thing and returns a `Finding`. `Health` calls it when somebody asks, and every
few seconds; to add one, write it in a file here and name it in `Runtime`.
"""

from .check import Check, Finding, State, degraded, healthy, unhealthy
from .health import CheckReport, Health

__all__ = ["Check", "CheckReport", "Finding", "Health", "State", "degraded", "healthy", "unhealthy"]
