"""pip, with its output condensed to one line of progress: standard library only, run by the environment's own Python.

    PYTHONPATH=ROOT .venv/bin/python -P -m scripts.lib.installing --constraints FILE 'ROOT[dev]'

On a terminal the line moves; elsewhere it is printed anew every few seconds. Where pip fails, its last lines are shown
and what may help. The exit status is pip's.
"""

from __future__ import annotations

import argparse
import os
import queue
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
import unicodedata
from collections import deque
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import TextIO

from scripts.lib.sentences import said

EVERY = 5.0
"""Seconds between two lines where there is no terminal."""

SLOW_AFTER = 45.0
"""Seconds of looking up and fetching after which a mirror is recommended."""

KEPT_LINES = 20
"""How much of pip's output is shown where it fails."""

_RAW_PROGRESS = (24, 1)
"""The pip from which `--progress-bar raw` prints `Progress BYTES of BYTES`."""

_TICK = 0.2  # seconds between two looks at what is installed

_COLLECTING = re.compile(r"\s*(?:Collecting|Requirement already satisfied:) ([A-Za-z0-9][\w.-]*)")
_FETCHING = re.compile(r"\s*(?:Downloading|Using cached|Processing) (\S+)(?:.*\(([\d.]+) (bytes|kB|MB|GB)\))?")
_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_INSTALLING = re.compile(r"\s*Installing collected packages: (.+)")
_UNITS = {"bytes": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3}


class Progress:
    """What pip has done so far, by its own lines."""

    def __init__(self, site: Path, language: str) -> None:
        """`site` is the folder that it installs into."""
        self._site, self._language = site, language
        self._found: set[str] = set()
        self._present: set[str] = set()
        self.packages = 0
        """Packages fetched, or taken from pip's cache or a folder."""
        self._bytes = self._current = 0
        self.installing: Sequence[str] = ()
        """Names of what is being installed; empty until everything is fetched."""

    def read(self, line: str) -> None:
        """One line of pip's output."""
        if match := _PROGRESS.match(line):
            self._current = int(match[1])
        elif match := _COLLECTING.match(line):
            self._found.add(match[1])
        elif match := _INSTALLING.match(line):
            self.installing = match[1].split(", ")
            self._present = self._installed()
        elif (match := _FETCHING.match(line)) and not match[1].endswith((".metadata", "/")):
            self._bytes += self._current
            self._current = 0
            self.packages += 1
            if match[2] and "Downloading" in line:
                self._current = int(float(match[2]) * _UNITS[match[3]])

    @property
    def megabytes(self) -> str:
        """What was fetched from an index."""
        return f"{(self._bytes + self._current) / 1e6:.1f}"

    def sentence(self, seconds: float) -> str:
        """One line for people."""
        passed = f"{seconds:.0f}"
        if self.installing:
            return said(
                self._language,
                "hunyuan-fix: installing packages: {packages} of {all} ({seconds} s)",
                packages=len(self._installed() - self._present),
                all=len(self.installing),
                seconds=passed,
            )
        if self.packages:
            return said(
                self._language,
                "hunyuan-fix: fetching packages: {packages}, {megabytes} MB so far ({seconds} s)",
                packages=self.packages,
                megabytes=self.megabytes,
                seconds=passed,
            )
        return said(
            self._language,
            "hunyuan-fix: looking up packages: {packages} ({seconds} s)",
            packages=len(self._found),
            seconds=passed,
        )

    def _installed(self) -> set[str]:
        return {path.name for path in self._site.glob("*.dist-info")}


class Display:
    """The line of progress: one that moves on a terminal, one every `EVERY` seconds elsewhere."""

    def __init__(self, stream: TextIO, every: float = EVERY) -> None:
        self._stream, self._every = stream, every
        self._moves = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._next = every

    def show(self, sentence: str, seconds: float) -> None:
        """The state after `seconds`."""
        if self._moves:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r{_fitting(sentence, width)}\x1b[K")
        elif seconds >= self._next:
            self._next = seconds + self._every
            self._stream.write(f"{sentence}\n")
        self._stream.flush()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._stream.write(f"\r{text}\x1b[K\n" if self._moves else f"{text}\n")
        self._stream.flush()


def _fitting(text: str, width: int) -> str:
    """The beginning of `text` that takes at most `width` columns; a Chinese character takes two."""
    for index, character in enumerate(text):
        width -= 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if width < 0:
            return text[:index]
    return text


def install(constraints: Path, project: str, language: str, stream: TextIO) -> int:
    """Install `project` (a folder, perhaps with extras in brackets) editable into this Python. Returns pip's status."""
    progress = Progress(Path(sysconfig.get_path("purelib")), language)
    display, start, advised = Display(stream), time.monotonic(), False
    last: deque[str] = deque(maxlen=KEPT_LINES)
    # The build tool first, pinned like everything else: pip's own isolated build would fetch the newest.
    for what in (["setuptools"], ["--no-build-isolation", "--editable", project]):
        process = _pip(["--constraint", str(constraints), *what])
        for line in _lines(process):
            seconds = time.monotonic() - start
            if line:
                progress.read(line)
                if not _PROGRESS.match(line):
                    last.append(line)
            display.show(progress.sentence(seconds), seconds)
            if seconds > SLOW_AFTER and not progress.installing and not advised:
                advised = True
                display.say(
                    said(
                        language,
                        "hunyuan-fix: this is slow. Behind a firewall a proxy (HTTPS_PROXY=http://HOST:PORT) or a "
                        "mirror near you helps: `pip config set global.index-url URL`, or PIP_INDEX_URL=URL. Ctrl-C, "
                        "then run this again.",
                    )
                )
        if status := process.wait():
            display.say(said(language, "hunyuan-fix: pip failed. Its last lines:"))
            display.say("\n".join(f"  {line}" for line in last))
            display.say(
                said(
                    language,
                    "hunyuan-fix: if the package index can't be reached from here, a proxy "
                    "(HTTPS_PROXY=http://HOST:PORT) or a mirror helps: `pip config set global.index-url URL`, or "
                    "PIP_INDEX_URL=URL. Then run this again: it begins anew.",
                )
            )
            return status
        progress.installing = ()
    display.say(
        said(
            language,
            "hunyuan-fix: {packages} packages installed, {megabytes} MB fetched ({seconds} s)",
            packages=progress.packages,
            megabytes=progress.megabytes,
            seconds=f"{time.monotonic() - start:.0f}",
        )
    )
    return 0


def _pip(arguments: Sequence[str]) -> subprocess.Popen[str]:
    version = tuple(int(part) for part in re.findall(r"\d+", metadata.version("pip"))[:2])
    bar = "raw" if version >= _RAW_PROGRESS else "off"
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-color"),
            *("--progress-bar", bar, *arguments),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env=os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"},
    )


def _lines(process: subprocess.Popen[str]) -> Iterator[str]:
    """Its lines until it ends, and an empty one whenever there was none for a moment."""
    waiting: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in process.stdout or ():
            waiting.put(line.rstrip())
        waiting.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = waiting.get(timeout=_TICK)
        except queue.Empty:
            yield ""
            continue
        if line is None:
            return
        yield line


def main(arguments: Sequence[str] | None = None) -> int:
    """Install what the command line names; returns the exit status."""
    parser = argparse.ArgumentParser("scripts.lib.installing", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--constraints", type=Path, required=True)
    parser.add_argument("--language", choices=("en", "zh"), default="en")
    parser.add_argument("project")
    given = parser.parse_args(arguments)
    try:
        return install(given.constraints, given.project, given.language, sys.stderr)
    except KeyboardInterrupt:  # pip got it too
        return 130


if __name__ == "__main__":
    sys.exit(main())
