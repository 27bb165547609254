"""The old platform, TokenHub and Moonshot, a mitmdump with the addon before them, and one without."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.translating import run_bare_proxy
from tests.end_to_end.processes import KEY, LEGACY, ROOT, TOKENHUB, Certificates, Proxy, Simulator, run_proxy
from tests.end_to_end.processes import run_simulator as run_endpoint

MOONSHOT = "api.moonshot.ai"
PROFILES = {LEGACY: "hunyuan", TOKENHUB: "tokenhub", MOONSHOT: "moonshot"}
WRONG = "sk-wrong"
"""A key that no endpoint takes: all take `KEY` alone."""
EXAMPLE = ROOT / "examples/rd_agent"
"""Where the example of a backend is."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The three by host, and the proxies."""

    by_host: Mapping[str, Simulator]
    proxy: Proxy
    bare: Proxy

    def sent(self, marker: str) -> list[dict[str, Any]]:
        """The requests since the last reset whose body has `marker`, those to one host after the other."""
        requests = [one for endpoint in self.by_host.values() for one in endpoint.requests()]
        return [one for one in requests if marker in json.dumps(one["body"], ensure_ascii=False)]

    def reset(self) -> None:
        for endpoint in self.by_host.values():
            endpoint.reset()


@contextmanager
def run_endpoints(
    certificates: Certificates, options: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator[Endpoints]:
    """Run all of it; the proxy with the addon has `options`, and `environment`."""
    with ExitStack() as stack:
        by_host = {
            host: stack.enter_context(
                run_endpoint(certificates, "--no-mentions", "--accept-key", KEY, hosts=[host], profile=profile)
            )
            for host, profile in PROFILES.items()
        }
        redirects = {f"{host}:443": endpoint.port for host, endpoint in by_host.items()}
        words = [word for option in options for word in ("--set", option)]
        proxy = stack.enter_context(run_proxy(certificates, redirects, *words, environment=environment))
        bare = stack.enter_context(run_bare_proxy(certificates, LEGACY, by_host[LEGACY].port, redirects))
        yield Endpoints(by_host, proxy, bare)


def run_script(
    folder: Path, script: str, proxy: Proxy, *arguments: str, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What a script of this folder printed, by scenario, in RD-Agent's environment and behind `proxy`."""
    program = Path(os.environ["HUNYUAN_FIX_CLIENTS"]) / "rd-agent/bin/python"
    given = {
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(EXAMPLE),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        **proxy.environment,
        **(environment or {}),
    }
    command = [str(program), str(Path(__file__).with_name(script)), *arguments]
    done = subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-8000:]
    return dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith('["'))
