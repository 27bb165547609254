"""Tool names of one request."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.dialects.names import Names
from hunyuan_fix.rules.tool_names import is_accepted


@given(st.lists(st.text(max_size=90), max_size=8), st.lists(st.text(max_size=90), max_size=8))
def test_every_tool_has_a_name_that_chat_accepts_and_that_leads_back(offered: list[str], called: list[str]) -> None:
    names = Names(offered)
    sent = {asked: names.sent(asked) for asked in [*called, *offered]}
    assert all(map(is_accepted, sent.values()))
    assert len(set(sent.values())) == len(sent)
    back = names.renamed()
    assert all(back.get(name, name) == asked for asked, name in sent.items())


def test_a_name_is_made_of_the_old_one_alone() -> None:
    odd = "ns.read"
    assert Names([odd]).sent(odd) == Names(["ls", "other.one", odd]).sent(odd)


def test_a_tool_keeps_a_name_that_would_be_made_for_another() -> None:
    made = Names([]).sent("ns.read")
    names = Names([made])
    assert names.sent("ns.read") != made  # though it is asked for first
    assert names.sent(made) == made
