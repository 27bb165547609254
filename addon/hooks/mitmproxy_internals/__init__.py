"""Everything that reaches past mitmproxy's public API, so that an upgrade of mitmproxy is checked in one folder.

Each function says what it relies on; its test fails where a new mitmproxy is different. Written for mitmproxy 12.2.3.
"""
