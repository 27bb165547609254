"""`/_sim/...`: look at what came, start afresh, program faults. Never counted, never refused."""

from .codec import decode
from .faults import Faults
from .journal import Journal
from .responses import Response

_KNOWN = "GET stats, GET requests, GET reasoning, GET usage, POST reset, POST faults"


async def answer(wanted: tuple[str, str], body: bytes, response: Response, journal: Journal, faults: Faults) -> None:
    """Answer a request: `wanted` is its method and its path below `/_sim/`."""
    match wanted:
        case "GET", "stats":
            await response.json(200, journal.stats())
        case "GET", "requests":
            await response.json(200, [request.as_json() for request in journal.requests])
        case "GET", "usage":
            await response.json(200, journal.billing.as_json())
        case "GET", "reasoning":
            await response.json(200, [one.reasoning for one in journal.requests if one.reasoning is not None])
        case "POST", "reset":
            journal.reset()
            faults.rules.clear()
            await response.json(200, {"reset": True})
        case "POST", "faults":
            try:
                await response.json(200, {"programmed": faults.program(decode(body))})
            except ValueError as error:
                await response.json(400, {"error": str(error)})
        case _:
            await response.json(404, {"error": f"/_sim/ has {_KNOWN}"})
