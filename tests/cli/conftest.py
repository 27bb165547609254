"""The test's own internet, as in the end-to-end tests."""

from tests.end_to_end.conftest import certificates, legacy_simulator, proxy, simulator

__all__ = ["certificates", "legacy_simulator", "proxy", "simulator"]
