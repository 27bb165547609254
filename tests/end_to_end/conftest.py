"""The test's own internet: simulators under the real host names, the proxy before them, clients that use it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import openai
import pytest
import trustme
from mitmproxy.certs import CertStore

from tests.end_to_end import processes
from tests.end_to_end.processes import KEY, LEGACY, TOKENHUB, Certificates, Proxy, Simulator


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    confdir = tmp_path_factory.mktemp("mitmproxy")
    CertStore.from_store(confdir, "mitmproxy", 2048)
    made = Certificates(trustme.CA(), tmp_path_factory.mktemp("certificates"), confdir)
    made.authority.cert_pem.write_to_path(str(made.authority_file))
    return made


@pytest.fixture(scope="session")
def legacy_simulator(certificates: Certificates) -> Iterator[Simulator]:
    with processes.run_simulator(certificates, hosts=[LEGACY]) as running:
        yield running


@pytest.fixture(scope="session")
def running_tokenhub(certificates: Certificates) -> Iterator[Simulator]:
    with processes.run_simulator(certificates, hosts=[TOKENHUB], profile="tokenhub") as running:
        yield running


@pytest.fixture
def simulator(legacy_simulator: Simulator) -> Simulator:
    """The strict legacy endpoint, under its real name; nothing in its journal yet."""
    legacy_simulator.reset()
    return legacy_simulator


@pytest.fixture
def tokenhub(running_tokenhub: Simulator) -> Simulator:
    """Its successor; nothing in its journal yet."""
    running_tokenhub.reset()
    return running_tokenhub


@pytest.fixture(scope="session")
def proxy(certificates: Certificates, legacy_simulator: Simulator) -> Iterator[Proxy]:
    """mitmdump with the addon and no options, as proxy and as reverse proxy, before the legacy endpoint."""
    with processes.run_proxy(certificates, {f"{LEGACY}:443": legacy_simulator.port}) as running:
        yield running


@pytest.fixture
def through_proxy(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Proxy:
    """This process is a client with `HTTPS_PROXY` and `SSL_CERT_FILE` set, as `scripts/run` says."""
    for name in (*processes.PROXY_VARIABLES, *processes.CA_VARIABLES):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in proxy.environment.items():
        monkeypatch.setenv(name, value)
    return proxy


@pytest.fixture
def client(through_proxy: Proxy) -> Iterator[openai.OpenAI]:
    """The real openai-python, pointed at the real endpoint."""
    with openai.OpenAI(api_key=KEY, base_url=f"https://{LEGACY}/v1", max_retries=0) as made:
        yield made


@pytest.fixture
def http(proxy: Proxy) -> Iterator[httpx.Client]:
    """A plain HTTP client behind the proxy that sends exactly what it is given."""
    with httpx.Client(
        proxy=proxy.url,
        verify=proxy.certificates.proxy_trusted(),
        trust_env=False,
        timeout=60,
        base_url=f"https://{LEGACY}/v1",
        headers={"authorization": f"Bearer {KEY}"},
    ) as made:
        yield made
