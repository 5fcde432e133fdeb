"""What payments does after commit when something has happened: at least once, so everything here may repeat."""

from typing import Any

from payments.tasks import carry_out_one_refund, prepare_evidence_of_one


def carry_out_refund(event: str, payload: dict[str, Any]) -> None:
    """A refund was promised in somebody's transaction: have it carried out."""
    carry_out_one_refund.delay(payload["refund"])


def prepare_evidence(event: str, payload: dict[str, Any]) -> None:
    """A dispute was opened: whoever answers it finds what our records say."""
    prepare_evidence_of_one.delay(payload["dispute"])
