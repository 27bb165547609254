"""A strict stand-in for Tencent's OpenAI-compatible endpoints: for the tests, the demo and the bench.

Row names (A1, C5, ...): docs/facts/hunyuan.md#simulator-rows.
Nothing here is shared with `addon/`: the simulator is the addon's independent oracle.
"""
