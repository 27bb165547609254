"""The program that searches (`hunyuan_search_command`): it gets a query and prints JSON.

It is started without a shell. `{query}` in its arguments is the query, without the dashes at its beginning that would
make it an option; on standard input it gets the query, too. The proxy's own keys are not in its environment.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from ..config import values
from ..config.option import PREFIX, option
from ..texts.terminal import say
from . import results
from .results import NoResults, Result

logger = logging.getLogger("hunyuan_fix")

AT_A_TIME: Final = 4
"""Programs that run at once; further searches wait."""
_LARGEST: Final = 1 << 20
"""Bytes of output that are read: more is no list of a few results."""
_LONGEST_QUERY: Final = 1000
"""Characters."""
_QUERY: Final = "{query}"


class SearchFailed(Exception):
    """A search without results. Its text says why, without the query and without what the program said."""


@values.accepting("a command line")
def command(text: str) -> tuple[str, ...]:
    """The words of a command line, as a shell would read them. Raises `ValueError`."""
    try:
        words = tuple(shlex.split(text))
    except ValueError:
        raise ValueError(say("accepted is a command line with its quotation marks closed")) from None
    return words


@dataclass(frozen=True)
class SearchSettings:
    """What searches the web for models that can't."""

    search_command: tuple[str, ...] | None = option(
        "",
        "Program that searches the web for models that can't: it gets the query in place of {query}, else on "
        "standard input, and prints JSON. Without it the model is told that it can't search.",
        values.optional(command),
    )
    search_timeout: float = option("20", "Seconds that one search may take.", values.seconds)


class Program:
    """Runs the command of `settings`."""

    def __init__(self, settings: SearchSettings) -> None:
        self._command = settings.search_command or ()
        self._timeout = settings.search_timeout
        self._places = asyncio.Semaphore(AT_A_TIME)

    async def search(self, query: str) -> list[Result]:
        """What it finds for `query`. Raises `SearchFailed`. Cancelled, it ends the program."""
        query = " ".join(query.split())[:_LONGEST_QUERY]
        try:
            async with asyncio.timeout(self._timeout), self._places:
                output = await _run(_arguments(self._command, query), query)
            return results.read(output)
        except TimeoutError:
            failed = SearchFailed(f"it took longer than {self._timeout:g} seconds (hunyuan_search_timeout)")
        except NoResults as error:
            failed = SearchFailed(f"of what it printed: {error}")
        except SearchFailed as error:
            failed = error
        said = say("The search program (hunyuan_search_command) failed: {why}.", why=str(failed))
        logger.warning("%s", said)
        raise failed


def _arguments(words: Sequence[str], query: str) -> list[str]:
    argument = query.lstrip("-+/ ")
    return [word.replace(_QUERY, argument) for word in words]


async def _run(arguments: Sequence[str], query: str) -> bytes:
    """The program's standard output. Raises `SearchFailed`."""
    environment = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX.upper())}
    try:
        process = await asyncio.create_subprocess_exec(
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
        )
    except (OSError, ValueError, NotImplementedError) as error:
        raise SearchFailed(f"it can't be started ({type(error).__name__})") from None
    try:
        output = await _talk(process, query)
        code = await process.wait()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(_ended(process))
    if code != 0:
        raise SearchFailed(f"it ended with status {code}")
    return output


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Wait until a process that was killed is gone. asyncio tells that only once its output is closed, and doesn't
    read on where much of it waits."""
    if process.stdout is not None:
        while await process.stdout.read(1 << 16):
            pass
    await process.wait()


async def _talk(process: asyncio.subprocess.Process, query: str) -> bytes:
    """Give it the query, and read what it prints. Raises `SearchFailed` where that is too much."""
    if process.stdin is None or process.stdout is None:
        raise SearchFailed("it has no standard input and output")
    with suppress(BrokenPipeError, ConnectionResetError):  # it doesn't read
        process.stdin.write(query.encode("utf-8", "replace") + b"\n")
        await process.stdin.drain()
    process.stdin.close()
    pieces: list[bytes] = []
    size = 0
    while piece := await process.stdout.read(1 << 16):
        pieces.append(piece)
        size += len(piece)
        if size > _LARGEST:
            raise SearchFailed(f"it printed more than {_LARGEST >> 20} MiB")
    return b"".join(pieces)
