"""A mitmproxy addon whose hooks do nothing: what any addon costs, whatever it does."""

from mitmproxy import http


class Idle:
    """The hooks that every exchange passes through in the real addon too."""

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Nothing."""

    async def request(self, flow: http.HTTPFlow) -> None:
        """Nothing."""

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Pass streams on as they come: buffered, as by default, they would be no streams."""
        if flow.response and flow.response.headers.get("content-type", "").startswith("text/event-stream"):
            flow.response.stream = True

    def response(self, flow: http.HTTPFlow) -> None:
        """Nothing."""


addons = [Idle()]
