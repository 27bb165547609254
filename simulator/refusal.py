"""A refusal as a row of the tables of each profile has it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """The wire form of one row. `message` has `{subject}` where the word that the message needs stands."""

    status: int
    message: str
    kind: str
    code: str = ""
