"""Start mitmdump (or mitmweb) with the addon on loopback, and say what to set in a client: `scripts/run`."""

from __future__ import annotations

import argparse
import os
import shlex
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import certifi
from mitmproxy.certs import CertStore
from mitmproxy.tools import main as mitmproxy_main

HOST = "127.0.0.1"
"""The proxy sees prompts and keys in clear: it is for this machine only, unless asked for more."""
PORT = 8080
REVERSE_PORT = 4000
ENDPOINT = "https://api.hunyuan.cloud.tencent.com"
ADDON = Path(__file__).resolve().parents[2] / "addon" / "hunyuan_fix.py"
CONFDIR = "~/.mitmproxy"
CA_NAME = "mitmproxy"
CA_KEY_SIZE = 2048
"""Both as mitmproxy's own options `CONF_BASENAME` and `key_size`: this is the CA that it would make itself."""

USAGE = f"""\
Runs the addon in mitmdump, as a proxy and as a reverse proxy at once, and prints what to set in a client.

Everything that is not listed below goes on to mitmdump (or mitmweb), for example:
  scripts/run --set hunyuan_upstream=https://tokenhub.tencentmaas.com/v1
  scripts/run --set hunyuan_language=en -v
  scripts/run --web --set web_port=8082

Both listen on {HOST} only, unless --host says otherwise: then clients need tokens (scripts/token).
docs/options.md lists every hunyuan_ option."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start: the address and the two ports, which program, and the arguments that go on to it."""

    host: str
    port: int
    reverse_port: int
    web: bool
    arguments: tuple[str, ...]

    def option(self, name: str) -> str | None:
        """The value that `--set NAME=VALUE` gives among the arguments; the last one wins, as in mitmproxy."""
        value = None
        words = [f"--set={word}" if before == "--set" else word for before, word in pairwise(["", *self.arguments])]
        for word in words:
            key, separator, given = word.removeprefix("--set=").partition("=")
            if word.startswith("--set=") and separator and key == name:
                value = given
        return value

    def command(self) -> list[str]:
        """The arguments for mitmdump or mitmweb. Ours come first, so that the person's own can override."""
        modes = [f"regular@{self.host}:{self.port}", f"reverse:{ENDPOINT}@{self.host}:{self.reverse_port}"]
        ours = ["-s", str(ADDON)]
        for mode in modes:
            ours += ["--mode", mode]
        return [*ours, *self.arguments]


def parse(arguments: Sequence[str]) -> Launch:
    """Read the command line. Exits with a usage error for a port that is none."""
    parser = argparse.ArgumentParser(
        "scripts/run",
        usage="scripts/run [--web] [--host ADDRESS] [--port PORT] [--reverse-port PORT] [MITMDUMP ARGUMENTS]",
        description=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--web", action="store_true", help="start mitmweb, with its page in a browser")
    parser.add_argument("--host", default=HOST, help=f"address to listen on (default {HOST}; 0.0.0.0: all there are)")
    add_port(parser)
    add_reverse_port(parser)
    known, rest = parser.parse_known_args(arguments)
    if known.port == known.reverse_port:
        parser.error(f"the proxy and the reverse proxy can't share port {known.port}")
    return Launch(known.host, known.port, known.reverse_port, known.web, tuple(rest))


def add_port(parser: argparse.ArgumentParser) -> None:
    """Let `parser` take `--port`."""
    parser.add_argument(
        "--port",
        type=_port,
        default=os.environ.get("HUNYUAN_FIX_PORT", str(PORT)),
        help=f"for HTTPS_PROXY (default {PORT}, or HUNYUAN_FIX_PORT)",
    )


def add_reverse_port(parser: argparse.ArgumentParser) -> None:
    """Let `parser` take `--reverse-port`."""
    parser.add_argument(
        "--reverse-port",
        type=_port,
        default=os.environ.get("HUNYUAN_FIX_REVERSE_PORT", str(REVERSE_PORT)),
        help=f"for base URLs (default {REVERSE_PORT}, or HUNYUAN_FIX_REVERSE_PORT)",
    )


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (1 to 65535)")
    return int(text)


def port_is_free(port: int, host: str = HOST) -> bool:
    """Whether something could listen on `port` now, by the same rules as asyncio's servers.

    Raises `socket.gaierror` for a host that is no address.
    """
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError:
            return False
    return True


def ca_file(confdir: Path) -> Path:
    """The certificate of the proxy's CA, for programs that add it to the roots they have."""
    return confdir / f"{CA_NAME}-ca-cert.pem"


def bundle_file(confdir: Path) -> Path:
    """That certificate and every other root, for programs whose roots it replaces."""
    return confdir / "hunyuan-fix-ca-bundle.pem"


def client_variables(port: int, confdir: Path) -> dict[str, str]:
    """What a client's environment needs to use the proxy: one block for all of them (clients.md section 4)."""
    return {
        "HTTPS_PROXY": f"http://{HOST}:{port}",
        "SSL_CERT_FILE": str(bundle_file(confdir)),
        "NODE_EXTRA_CA_CERTS": str(ca_file(confdir)),
        "NODE_USE_ENV_PROXY": "1",
    }


def write_bundle(confdir: Path, extra_roots: Path | None = None) -> None:
    """Write the CA bundle for `SSL_CERT_FILE` into `confdir`; makes the proxy's CA if needed.

    `SSL_CERT_FILE` replaces a client's roots instead of adding to them, and other hosts keep their own
    certificates (the addon tunnels them): a client needs both. `extra_roots` are the ones that mitmproxy was
    told to trust upstream (a company's own), which replace the public ones there.
    """
    confdir.mkdir(parents=True, exist_ok=True)
    CertStore.from_store(confdir, CA_NAME, CA_KEY_SIZE)
    parts = [ca_file(confdir), Path(certifi.where())]
    if extra_roots is not None:
        parts.append(extra_roots)
    with tempfile.NamedTemporaryFile(dir=confdir, delete=False) as file:
        for part in parts:
            file.write(part.read_bytes().rstrip() + b"\n")
    Path(file.name).chmod(0o644)
    Path(file.name).replace(bundle_file(confdir))


def instructions(launch: Launch, confdir: Path) -> str:
    """What to set in a client, to be copied into a shell."""
    upstream = launch.option("hunyuan_upstream")
    variables = client_variables(launch.port, confdir)
    lines = [
        "",
        f"Keep the client's base URL {ENDPOINT}/v1 and start it from a shell with these (restart it if it runs):",
        *(f"  export {name}={shlex.quote(value)}" for name, value in variables.items()),
        "",
        "Or, for a client that knows no proxy, no certificate and no variable, only its base URL:",
        f"  http://{HOST}:{launch.reverse_port}/v1",
        "",
        f"The proxy's own CA is {ca_file(confdir)} (VS Code and others: add it to the system's store).",
        *([f"Calls go on to {upstream} (hunyuan_upstream)."] if upstream else []),
        *([] if launch.host == HOST else _for_others(launch)),
        "",
    ]
    return "\n".join(lines)


def _for_others(launch: Launch) -> list[str]:
    return [
        "",
        f"For other machines (it listens on {launch.host}): base URL http://ADDRESS-OF-THIS-MACHINE:{launch.reverse_port}/v1,",
        "with a client token as the API key (scripts/token add NAME).",
    ]


def main() -> None:
    """Check the ports, write the bundle, print the instructions and become mitmdump or mitmweb."""
    launch = parse(sys.argv[1:])
    for flag, port in (("--port", launch.port), ("--reverse-port", launch.reverse_port)):
        try:
            free = port_is_free(port, launch.host)
        except socket.gaierror:
            sys.exit(f"{launch.host} is no address to listen on.")
        if not free:
            sys.exit(f"Port {port} on {launch.host} is taken. Stop what listens there, or give another: {flag} PORT")
    confdir = Path(launch.option("confdir") or CONFDIR).expanduser().absolute()
    roots = launch.option("ssl_verify_upstream_trusted_ca")
    write_bundle(confdir, Path(roots).expanduser() if roots else None)
    print(instructions(launch, confdir), flush=True)
    start = mitmproxy_main.mitmweb if launch.web else mitmproxy_main.mitmdump
    start(launch.command())


if __name__ == "__main__":
    main()
