"""A mitmproxy script, to be loaded after the addon: holds the start until there is the file HUNYUAN_FIX_TEST_HELD.

If there is something in it, that is logged as an error then, which ends mitmproxy's start.
"""

import asyncio
import logging
import os
from pathlib import Path

FILE = Path(os.environ["HUNYUAN_FIX_TEST_HELD"])


async def running() -> None:
    """The ports are open, and mitmproxy waits for this hook."""
    logging.info("The start is held.")
    while not os.access(FILE, os.R_OK):
        await asyncio.sleep(0.01)
    if error := await asyncio.to_thread(FILE.read_text):
        logging.error("%s", error)
