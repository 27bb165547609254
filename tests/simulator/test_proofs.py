"""What the simulator does where a page of docs/clients asks for its proof: the folder is the client's own."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix.simulator import proofs

WRITE: dict[str, Any] = {"write": {"parameters": {"properties": {"filePath": {}, "content": {}}}}}
ASKED = {"role": "user", "content": "Create proof.txt with the word done in it."}


@pytest.mark.parametrize(
    "said",
    [
        "<env>\n  Working directory: /work/here\n  Is directory a git repo: no\n</env>",
        "# Environment\n - Primary working directory: /work/here\n",
        "I'm currently working in the directory: /work/here\nHere is the folder structure",
        "The current working directory is `/work/here`. Stay in it.",
        "# Current Working Directory (/work/here) Files",
        "<cwd>/work/here</cwd>",
        "list the files in the current directory, then read notes/commands\nWorking directory: /work/here\n",
    ],
)
def test_the_folder_that_a_client_says_it_works_in(said: str) -> None:
    call = proofs.call({"messages": [{"role": "system", "content": said}, ASKED]}, WRITE)
    assert call == ("write", {"filePath": "/work/here/proof.txt", "content": "done"})


def test_a_client_that_names_no_folder_gets_the_bare_name() -> None:
    said = {"role": "system", "content": "List the files of the current directory, then read notes/commands."}
    call = proofs.call({"messages": [said, ASKED]}, WRITE)
    assert call == ("write", {"filePath": "proof.txt", "content": "done"})
