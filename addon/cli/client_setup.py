"""What a client of the proxy needs: four environment variables, and the CA bundle that one of them names."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import certifi

from ..hooks import authority
from .addresses import HOST


def client_variables(port: int, confdir: Path) -> dict[str, str]:
    """The environment variables for every client of the proxy (docs/facts/clients.md#environment)."""
    return {
        "HTTPS_PROXY": f"http://{HOST}:{port}",
        "SSL_CERT_FILE": str(authority.bundle_file(confdir)),
        "NODE_EXTRA_CA_CERTS": str(authority.ca_file(confdir)),
        "NODE_USE_ENV_PROXY": "1",
    }


_STRONGER: Mapping[str, str] = MappingProxyType(
    {
        "https_proxy": "HTTPS_PROXY",
        "CURL_CA_BUNDLE": "SSL_CERT_FILE",
        "CODEX_CA_CERTIFICATE": "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE": "SSL_CERT_FILE",
    }
)
"""Variables that some programs prefer to ours -> ours. If such a variable is set, it must get our value."""


def stronger_variables(variables: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Those of `environment` that some programs prefer to one of `variables`, with the value that they must have."""
    return {name: variables[ours] for name, ours in _STRONGER.items() if name in environment}


def write_bundle(confdir: Path, extra_roots: Path | None = None, *, key_size: int = authority.KEY_SIZE) -> None:
    """Write the CA bundle for `SSL_CERT_FILE` into `confdir`; makes the proxy's CA if needed.

    Raises `OSError`, and `ValueError` for a CA that can't be read.

    `SSL_CERT_FILE` replaces a client's roots instead of adding to them, and other hosts keep their own
    certificates, because the addon tunnels them: so the bundle has the public roots too. `extra_roots`: a file of
    further roots, those that mitmproxy was told to trust upstream (a company's own).
    """
    authority.ensure(confdir, key_size)
    parts = [authority.ca_file(confdir), Path(certifi.where())]
    if extra_roots is not None:
        parts.append(extra_roots)
    with tempfile.NamedTemporaryFile(dir=confdir, delete=False) as file:
        for part in parts:
            file.write(part.read_bytes().rstrip() + b"\n")
    Path(file.name).chmod(0o644)
    Path(file.name).replace(authority.bundle_file(confdir))


def ensure_files(confdir: Path) -> None:
    """Make the CA, and the bundle if it is missing or holds another CA.

    A bundle with this CA is kept: `run` may have put a company's own roots into it. Raises `OSError`, and `ValueError`
    for a CA that can't be read.
    """
    ca, bundle = authority.ca_file(confdir), authority.bundle_file(confdir)
    if not (ca.exists() and bundle.exists() and bundle.read_bytes().startswith(ca.read_bytes().rstrip())):
        write_bundle(confdir)
