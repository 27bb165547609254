"""A strict stand-in for Tencent's OpenAI-compatible endpoints: for the tests, the demo and the bench.

Row names (A1, C5, ...) are those of the facts sheet, section "What a strict simulator of this endpoint
must reject". Nothing here is shared with `addon/`: the simulator is the addon's independent oracle.
"""
