"""`manage.py write_channel_codes` writes docs/channel-codes.md anew, from the tables of the channels."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from payments.channels import registry
from payments.channels.contract import Outcome
from payments.channels.meanings import Reaction

PAGE = Path(settings.BASE_DIR) / "docs" / "channel-codes.md"
_HEAD = """# What each channel's refusals mean

Written by `manage.py write_channel_codes` from `payments/channels/*/codes.py`; a test keeps it true. The tables speak
of refusals to begin a payment. What is not listed and proves nothing stays UNKNOWN; a code that ends in `*` stands for
every code that begins so.

| reaction | what follows |
| --- | --- |
"""


def page() -> str:
    """The whole page."""
    lines = [f"| `{reaction}` | {_FOLLOWS[reaction]} |" for reaction in Reaction]
    for channel in sorted(settings.CHANNELS):
        table = registry.meanings(channel)
        if table:
            lines += ["", f"## {channel}", "", "| code | outcome | reaction |", "| --- | --- | --- |"]
            lines += [
                f"| `{code}` | {_PROVES[row.outcome]} | `{row.reaction}` |"
                for code, row in sorted(table.items())
            ]
    return _HEAD + "\n".join(lines) + "\n"


_FOLLOWS = {
    Reaction.RETRY_LATER: "the channel is busy; what is unclear is asked about, what is proven may be tried again",
    Reaction.OTHER_CHANNEL: "the next channel of the route is tried at once, where the instrument allows it",
    Reaction.OTHER_CARD: "the customer is asked for another card",
    Reaction.OTHER_METHOD: "the customer is asked for another way to pay",
    Reaction.STEP_UP: "the same card is tried once more at once, with a 3-D Secure challenge",
    Reaction.TRY_AGAIN: "the customer may try the same again, or type it again",
    Reaction.CONTACT_BANK: "the customer is asked to talk to their bank",
    Reaction.STOP: "nothing that the customer could do would help",
}
_PROVES = {
    Outcome.DECLINED: "declined: no money moved",
    Outcome.ERRORED: "errored: no money moved",
    Outcome.CANCELLED: "closed: no money moved",
    Outcome.UNKNOWN: "unknown: nothing is proven",
}


class Command(BaseCommand):
    help = "Write docs/channel-codes.md anew."

    def handle(self, *args: Any, **options: Any) -> None:
        PAGE.write_text(page(), encoding="utf-8")
        self.stdout.write(f"{PAGE} written")
