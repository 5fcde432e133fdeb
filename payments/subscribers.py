"""What payments does after commit when something has happened: at least once, so everything here may repeat."""

from collections.abc import Sequence
from typing import Any

from payments.bus.registry import bus
from payments.events import Told
from payments.services.announce_events import announce_events
from payments.services.tell_of_disabled_endpoint import tell_of_disabled_endpoint
from payments.tasks import carry_out_one_refund, prepare_evidence_of_one


def carry_out_refund(event: str, payload: dict[str, Any]) -> None:
    """A refund was promised in somebody's transaction: have it carried out."""
    carry_out_one_refund.delay(payload["refund"])


def prepare_evidence(event: str, payload: dict[str, Any]) -> None:
    """A dispute was opened: whoever answers it finds what our records say."""
    prepare_evidence_of_one.delay(payload["dispute"])


def mail_about_disabled_endpoint(event: str, payload: dict[str, Any]) -> None:
    tell_of_disabled_endpoint(
        event=event, url=payload["url"], reason=payload["reason"], created_by=payload["created_by"]
    )


def tell_merchants(events: Sequence[Told]) -> None:
    announce_events(events=events)


def put_on_the_bus(events: Sequence[Told]) -> None:
    bus().publish(events)
