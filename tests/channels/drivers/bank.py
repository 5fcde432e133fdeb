"""Drives the bank: the customer fills in a transfer with our reference, and the bank books it."""

from dataclasses import dataclass, replace
from typing import Any

from payments.channels.bank.channel import from_settings
from payments.channels.bank.references import transfer_reference
from payments.channels.contract import Answer, Channel, MovementRequest, Notice, Outcome, StartRequest
from tests.channels.drivers import Driver
from tests.channels.world import Receiver, Sandbox


@dataclass(slots=True)
class BankSandbox(Sandbox):
    """The bank knows payments by what the customer wrote on the transfer."""

    def payments(self, reference: str) -> list[Any]:
        return Sandbox.payments(self, transfer_reference(reference))


class BankDriver(Driver):
    code = "bank"
    start_path = "/bank/v1/orders"
    refund_path = "/bank/v1/orders"
    asks_at_start = False

    def __init__(self, sandbox: Sandbox, receiver: Receiver) -> None:
        self.over: set[str] = set()
        super().__init__(BankSandbox(sandbox.url), receiver)

    def build(self, *, timeout_seconds: float = 5.0, api_base: str = "") -> Channel:
        self.account: dict[str, Any] = self.sandbox.onboard(
            name="bank contract", webhooks={"bank": self.receiver.url + self.notify_path}
        )["bank"]
        address = f"{api_base or self.sandbox.url}/bank"
        return from_settings(self.settings(timeout_seconds=timeout_seconds, api_base=address))

    def build_with_wrong_key(self) -> Channel:
        return from_settings(self.settings(request_secret="0" * 64))

    def settings(self, **changed: Any) -> dict[str, Any]:
        return {
            "api_base": f"{self.sandbox.url}/bank",
            "account": self.account["account"],
            "account_name": "Smart Checkout Ltd",
            "bank_name": "Sandbox Bank",
            "bic": "SANDXXXX",
            "currency": "CNY",
            "token": self.account["token"],
            "request_secret": self.account["request_secret"],
            "notice_secrets": [self.account["notice_secret"]],
            "timeout_seconds": 5.0,
            **changed,
        }

    def start_request(
        self, amount: int = 10_000, *, capture: bool = True, instrument: str = ""
    ) -> StartRequest:
        """A transfer is final when it comes: `capture` has no meaning for it."""
        return super().start_request(amount, capture=True, instrument=instrument)

    def movement(self, start: StartRequest, answer: Answer | None = None) -> MovementRequest:
        """What is over is asked about as later: its deadline has passed."""
        if start.reference in self.over:
            start = replace(start, expires_at=start.expires_at.replace(year=2020))
        return super().movement(start, answer)

    def tells_of(self, notice: Notice, start: StartRequest) -> bool:
        return notice.answer.channel_reference == transfer_reference(start.reference)

    def turns_away(self, stranger: Channel, start: StartRequest) -> bool:
        return stranger.query(self.movement(start)).outcome is Outcome.UNKNOWN

    def transfer(self, text: str, amount: str, **said: Any) -> str:
        """Somebody's transfer to our account; the sandbox's id of it."""
        asked = {"text": text, "amount": amount, **said}
        made = self.sandbox.ask("POST", f"/control/bank/{self.account['account']}/transfers", asked)
        return str(made["payment"])

    def customer_opens(self, start: StartRequest) -> None:
        amount = {"amount": str(start.amount.major), "currency": start.amount.currency}
        self.transfer(transfer_reference(start.reference), **amount, waits=True)

    def customer_pays(self, start: StartRequest) -> None:
        if not self.sandbox.payments(start.reference):
            self.customer_opens(start)
        super().customer_pays(start)

    def customer_declines(self, start: StartRequest) -> None:
        """They change their mind."""

    def time_is_over(self, start: StartRequest) -> None:
        self.over.add(start.reference)
        super().time_is_over(start)

    def time_is_over_only_for_us(self, start: StartRequest) -> None:
        """The deadline has passed; the bank knows of none."""
        self.over.add(start.reference)
