"""Running a command as its door in `scripts/` does, in an environment that holds nothing of the person's."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

from hunyuan_fix.cli import main as cli
from tests.end_to_end.processes import clean_environment

_NODE = ("NODE_EXTRA_CA_CERTS", "NODE_USE_ENV_PROXY", "NODE_OPTIONS", "CODEX_CA_CERTIFICATE")


def environment(home: Path, **variables: str) -> dict[str, str]:
    """A person's environment: `home`, bash, and what is given; a proxy or CA only if that is given."""
    clean = {name: value for name, value in clean_environment().items() if name not in _NODE}
    return clean | {"HOME": str(home), "SHELL": "/bin/bash"} | variables


def command(name: str, *arguments: str) -> list[str]:
    """How `scripts/NAME` starts it as a process, but for the virtual environment."""
    return [sys.executable, "-P", "-m", "hunyuan_fix.cli.main", cli.IN_CLONE, name, *arguments]


def run(
    name: str, *arguments: str, given: Mapping[str, str], stdin: bytes = b"", folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it to its end, in `folder` (default: `HOME`), with `given` as its whole environment.

    It runs in the test's own process: a new one takes up to a second, most of it for imports. What only
    a process shows (signals, terminals, the import path) is tested with `command`.
    """
    read, out, err = (io.TextIOWrapper(io.BytesIO(data), encoding="utf-8") for data in (stdin, b"", b""))
    before, on_pipe = Path.cwd(), signal.getsignal(signal.SIGPIPE)
    with (
        mock.patch.dict(os.environ, given, clear=True),
        mock.patch.multiple(sys, stdin=read, stdout=out, stderr=err),
    ):
        os.chdir(folder or given["HOME"])
        try:
            ended: object = cli.main([cli.IN_CLONE, name, *arguments])
        except SystemExit as error:
            ended = error.code
            if isinstance(ended, str):
                err.write(f"{ended}\n")
        finally:
            os.chdir(before)
            signal.signal(signal.SIGPIPE, on_pipe)
    status = ended if isinstance(ended, int) else int(ended is not None)
    return subprocess.CompletedProcess([name, *arguments], status, _text(out), _text(err))


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    written = stream.buffer
    assert isinstance(written, io.BytesIO)
    return written.getvalue().decode()
