"""Running a module of the scripts as its shell script does, in an environment that holds nothing of the person's."""

from __future__ import annotations

import io
import os
import runpy
import signal
import subprocess
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

from tests.end_to_end.processes import ROOT, clean_environment

_NODE = ("NODE_EXTRA_CA_CERTS", "NODE_USE_ENV_PROXY", "NODE_OPTIONS", "CODEX_CA_CERTIFICATE")


def environment(home: Path, **variables: str) -> dict[str, str]:
    """A person's environment: `home`, bash, and what is given; a proxy or CA only if that is given."""
    clean = {name: value for name, value in clean_environment().items() if name not in _NODE}
    return clean | {"HOME": str(home), "SHELL": "/bin/bash"} | variables


def module_name(script: str) -> str:
    """What `scripts/SCRIPT` starts."""
    return f"scripts.lib.{script}"


def command(module: str, *arguments: str) -> list[str]:
    """How `scripts/MODULE` starts it as a process, but for the virtual environment."""
    return [sys.executable, "-P", "-m", module_name(module), *arguments]


def run(
    module: str, *arguments: str, given: Mapping[str, str], stdin: bytes = b"", folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it to its end, in `folder` (default: `HOME`), with `given` as its whole environment.

    It runs as `__main__` in the test's own process: a new one takes up to a second, most of it for imports. What only
    a process shows (signals, terminals, the import path) is tested with `command`.
    """
    read, out, err = (io.TextIOWrapper(io.BytesIO(data), encoding="utf-8") for data in (stdin, b"", b""))
    before, on_pipe = Path.cwd(), signal.getsignal(signal.SIGPIPE)
    with (
        mock.patch.dict(os.environ, {**given, "PYTHONPATH": str(ROOT)}, clear=True),
        mock.patch.multiple(sys, argv=[module, *arguments], stdin=read, stdout=out, stderr=err),
        warnings.catch_warnings(action="ignore", category=RuntimeWarning),  # the module is imported already
    ):
        os.chdir(folder or given["HOME"])
        try:
            runpy.run_module(module_name(module), run_name="__main__", alter_sys=True)
            ended: object = 0
        except SystemExit as error:
            ended = error.code
            if isinstance(ended, str):
                err.write(f"{ended}\n")
        finally:
            os.chdir(before)
            signal.signal(signal.SIGPIPE, on_pipe)
    status = ended if isinstance(ended, int) else int(ended is not None)
    return subprocess.CompletedProcess([module, *arguments], status, _text(out), _text(err))


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    written = stream.buffer
    assert isinstance(written, io.BytesIO)
    return written.getvalue().decode()
