"""What every messenger promises. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Fate(StrEnum):
    TAKEN = "taken"  # on its way
    REFUSED = "refused"  # proven: it does not go there
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Message:
    """`key` is ours and stable: the same message sent again under it goes out once."""

    key: str
    to: str
    subject: str
    body: str


class Messenger(Protocol):
    """Never raises: what is not clear is UNKNOWN. `ask` says what became of a message by its key."""

    def send(self, message: Message) -> Fate: ...

    def ask(self, key: str) -> Fate: ...
