"""axe-core, which looks for what keeps people from using a page (MPL-2.0; for tests alone, nothing of it is shipped).

It comes from npm, pinned by its digest, once: into `.axe/` of the repository.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from scripts.lib.browser import Page
from scripts.lib.processes import ROOT

VERSION = "4.14.1"
_INTEGRITY = "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
"""As npm has it: SHA-512 of the package."""
_FOLDER = ROOT / ".axe"
_RUN = """
axe.run(document, {resultTypes: ['violations'], runOnly: {type: 'tag', values: %s}}).then(found =>
  found.violations.map(({id, help, nodes}) => ({id, help, nodes: nodes.slice(0, 5).map(({html, any, all}) =>
    [html.slice(0, 200), ...any.concat(all).map(check => check.message)].join(' '))})))
"""
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


def source() -> str:
    """Its text. Raises `RuntimeError` where it isn't here and can't be fetched: the tests don't pass without it."""
    kept = _FOLDER / f"axe-{VERSION}.min.js"
    _FOLDER.mkdir(exist_ok=True)
    (_FOLDER / ".gitignore").write_text("*\n")
    with (_FOLDER / ".gitignore").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes
        if not kept.is_file():
            kept.write_bytes(_fetched())
    return kept.read_text("utf-8")


def _fetched() -> bytes:
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError(f"the page's tests need axe-core {VERSION}, and npm (Node 20) to fetch it")
    with tempfile.TemporaryDirectory() as folder:
        order = [npm, "pack", f"axe-core@{VERSION}", "--pack-destination", folder, "--loglevel=error"]
        done = subprocess.run(order, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            raise RuntimeError(f"axe-core {VERSION} can't be fetched: {done.stderr.strip()}")
        (packed,) = Path(folder).glob("*.tgz")
        digest = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
        if f"sha512-{digest}" != _INTEGRITY:
            raise RuntimeError(f"this is not the axe-core {VERSION} that is pinned: sha512-{digest}")
        with tarfile.open(packed) as package:
            member = package.extractfile("package/axe.min.js")
            assert member is not None
            return member.read()


def violations(page: Page, script: str) -> list[dict[str, Any]]:
    """What is wrong with the page as it is shown now; empty: nothing. `script`: see `source`."""
    if not page.value("'axe' in window"):
        page.value(f"{script};0")  # by the debugger: the page's own policy would not let it in
    found: list[dict[str, Any]] = page.value(_RUN % json.dumps(TAGS))
    return found
