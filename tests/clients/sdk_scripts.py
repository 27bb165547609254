"""Running a script that uses a real SDK, and reading what it printed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hunyuan_fix.simulator.vision import png_with_text
from tests.documents.pdfs import pdf

HERE = Path(__file__).parent


def run(
    folder: Path,
    script: str,
    base_url: str,
    model: str,
    *scenario: str,
    key: str = "sk-test",
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What `script` printed, by scenario. It is given a base URL, a model, a PNG, a PDF, and one scenario or none."""
    clients = Path(os.environ["HUNYUAN_FIX_CLIENTS"])
    picture, paper = folder / "picture.png", folder / "paper.pdf"
    picture.write_bytes(png_with_text("a red square"))
    paper.write_bytes(pdf("[[sim:say from the paper]]"))
    here = shutil.copy(HERE / script, folder)
    (folder / "node_modules").symlink_to(clients / "node_modules")
    program = clients / ("python/bin/python" if script.endswith(".py") else "node_modules/.bin/node")
    given = {"HOME": str(folder), "PATH": os.environ["PATH"], "SDK_KEY": key, **(environment or {})}
    command = [str(program), str(here), base_url, model, str(picture), str(paper), *scenario]
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(line) for line in done.stdout.splitlines())
