"""A live proxy before strict stand-ins, and the page in a headless Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from scripts.lib.browser import Page, chromium
from scripts.lib.processes import free_port
from tests.end_to_end.conftest import *  # noqa: F403 - its fixtures: certificates, simulators
from tests.end_to_end.processes import KEY, LEGACY, TOKENHUB, Certificates, Proxy, Simulator, run_proxy


@dataclass(frozen=True)
class Watched:
    """A proxy whose page can be looked at."""

    proxy: Proxy
    admin: str
    """The admin server's URL, without a slash at its end."""

    def client(self, host: str = TOKENHUB) -> httpx.Client:
        """A plain client behind the proxy."""
        return httpx.Client(
            proxy=self.proxy.url,
            verify=self.proxy.certificates.proxy_trusted(),
            trust_env=False,
            timeout=60,
            base_url=f"https://{host}/v1",
            headers={"authorization": f"Bearer {KEY}"},
        )

    def get(self, path: str, **parameters: str) -> httpx.Response:
        """What the admin server answers."""
        return httpx.get(self.admin + path, params=parameters, trust_env=False, timeout=60)


type Watch = Callable[..., AbstractContextManager[Watched]]


@pytest.fixture(scope="session")
def watch(certificates: Certificates, legacy_simulator: Simulator, running_tokenhub: Simulator) -> Watch:
    """`watch(*arguments)`: a proxy of one's own with an admin server, before the old platform and TokenHub."""
    redirects = {f"{LEGACY}:443": legacy_simulator.port, f"{TOKENHUB}:443": running_tokenhub.port}

    @contextmanager
    def started(*arguments: str, **options: object) -> Iterator[Watched]:
        port = free_port()
        given = ("--set", f"hunyuan_admin=127.0.0.1:{port}", *arguments)
        with run_proxy(certificates, redirects, *given, **options) as proxy:  # type: ignore[arg-type]
            yield Watched(proxy, f"http://127.0.0.1:{port}")

    return started


@pytest.fixture(scope="module")
def watched(watch: Watch) -> Iterator[Watched]:
    """One for all tests of a file."""
    with watch() as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A Chromium for all tests of a file, in English unless a test says otherwise."""
    folder: Path = tmp_path_factory.mktemp("chromium")
    with chromium(folder) as page:
        page.resize(1280, 900)
        yield page


def show(browser: Page, watched: Watched, address: str = "") -> None:
    """Open the page anew at a view: `exchanges`, `exchanges/ID`."""
    browser.open("about:blank")  # a change of what stands behind # alone would load nothing
    browser.open(f"{watched.admin}/#/{address}")
