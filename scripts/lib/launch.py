"""Start mitmdump (or mitmweb) with the addon on loopback, and say what to set in a client: `scripts/run`."""

from __future__ import annotations

import argparse
import difflib
import os
import shlex
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import certifi

from hunyuan_fix.config.option import PREFIX
from hunyuan_fix.hooks import authority
from hunyuan_fix.options import OPTIONS

if TYPE_CHECKING:
    from mitmproxy.options import Options

HOST = "127.0.0.1"
"""The proxy sees prompts and keys in clear: it is for this machine only, unless asked for more."""
PORT = 8080
REVERSE_PORT = 4000
ENDPOINT = "https://api.hunyuan.cloud.tencent.com"
ADDON = Path(__file__).resolve().parents[2] / "addon" / "hunyuan_fix.py"
CONFDIR = "~/.mitmproxy"

_OWN = ("--web", "--host", "--port", "--reverse-port", "--help")
"""Options of scripts/run itself."""

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


def client_variables(port: int, confdir: Path) -> dict[str, str]:
    """The environment variables for every client of the proxy (docs/facts/clients.md#environment)."""
    return {
        "HTTPS_PROXY": f"http://{HOST}:{port}",
        "SSL_CERT_FILE": str(authority.bundle_file(confdir)),
        "NODE_EXTRA_CA_CERTS": str(authority.ca_file(confdir)),
        "NODE_USE_ENV_PROXY": "1",
    }


def write_bundle(confdir: Path, extra_roots: Path | None = None, *, key_size: int = authority.KEY_SIZE) -> None:
    """Write the CA bundle for `SSL_CERT_FILE` into `confdir`; makes the proxy's CA if needed.

    Raises `OSError`, and `ValueError` for a CA that can't be read.

    `SSL_CERT_FILE` replaces a client's roots instead of adding to them, and other hosts keep their own
    certificates (the addon tunnels them): a client needs both. `extra_roots` are the ones that mitmproxy was
    told to trust upstream (a company's own), which replace the public ones there.
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
        f"The proxy's own CA is {authority.ca_file(confdir)} (VS Code and others: add it to the system's store).",
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


def refused(words: Sequence[str], known: Iterable[str]) -> list[str]:
    """One line for each of `words` from the command line that looks like an option and is none of `known`.

    Abbreviations are none: `--upstream` would be `--upstream-auth`, and whoever writes it means the endpoint.
    """
    ours = {option.name for option in OPTIONS}
    options = sorted({option for option in known if option.startswith("--")})
    lines = []
    for word in words:
        name = word.partition("=")[0]
        if not name.startswith("-"):
            continue
        meant = name.lstrip("-").replace("-", "_")
        settings = [full for full in (meant, f"{PREFIX}{meant}") if full in ours]
        longer = sorted([option for option in options if option.startswith(name)], key=len) if len(name) > 2 else []
        near = difflib.get_close_matches(name, options, n=1) if not settings and not longer else []
        proposals = " or ".join([*(f"--set {setting}=…" for setting in settings), *longer[:3], *near])
        lines.append(f"{name}: there is no such option" + (f"; is {proposals} meant?" if proposals else ""))
    return lines


def start(launch: Launch, *, accepted: Callable[[], None]) -> None:
    """Become mitmdump or mitmweb. `accepted` is called when the command line is read and good, before anything starts.

    Ends the process with one line for each option that there isn't. mitmproxy itself would take abbreviations.
    """
    # Imported here: all of mitmproxy takes a second, and scripts/env, which needs this module, starts with a shell.
    from mitmproxy.tools import cmdline  # noqa: PLC0415
    from mitmproxy.tools import main as mitmproxy_main  # noqa: PLC0415

    tool = "mitmweb" if launch.web else "mitmdump"
    make_parser = getattr(cmdline, tool)

    def strict(options: Options) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = make_parser(options)
        parser.prog, parser.allow_abbrev = "scripts/run", False
        _, unknown = parser.parse_known_args(launch.command())
        known = [*_OWN, *parser._option_string_actions]
        if problems := refused(unknown, known):
            print("\n".join(f"scripts/run: {problem}" for problem in problems), file=sys.stderr)
            sys.exit(2)
        accepted()
        return parser

    # mitmproxy looks its parser up there, as it starts.
    setattr(cmdline, tool, strict)
    getattr(mitmproxy_main, tool)(launch.command())


def main() -> None:
    """Check the ports and the options, make the CA and its bundle, print the instructions and become mitmproxy."""
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
    key_size = launch.option("key_size") or ""

    def prepare() -> None:
        try:
            write_bundle(
                confdir,
                Path(roots).expanduser() if roots else None,
                key_size=int(key_size) if key_size.isdecimal() else authority.KEY_SIZE,
            )
        except (OSError, ValueError) as error:
            sys.exit(f"scripts/run: the proxy's CA can't be made or read in {confdir}: {error}")
        print(instructions(launch, confdir), flush=True)

    start(launch, accepted=prepare)


if __name__ == "__main__":
    main()
