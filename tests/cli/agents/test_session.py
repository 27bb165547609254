"""What happens to signals around an agent's start. The rest has real programs: tests/end_to_end/test_agents.py."""

from __future__ import annotations

import signal
import subprocess
import sys

from hunyuan_fix.cli.agents.session import Signals


def test_what_came_during_the_start_reaches_the_agent() -> None:
    signals = Signals()
    signals.handle(signal.SIGTERM, None)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as agent:
        assert agent.poll() is None
        signals.go_to(agent)
        assert agent.wait(30) == -signal.SIGTERM
        signals.handle(signal.SIGTERM, None)  # there is nobody to send it to, and that is no error
    assert signals.early == [signal.SIGTERM]
