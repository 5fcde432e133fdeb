"""`manage.py sandbox …`: be the wallet, the issuer and the bank, from the terminal."""

import json
from typing import Any

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

_ACTIONS = ("scan", "pay", "decline", "expire")


class Command(BaseCommand):
    help = "Ask the sandbox: list, scan, pay, decline, expire, challenge, deliveries, resend, truth."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the sandbox's own answer")
        words = parser.add_subparsers(dest="word", required=True)
        listing = words.add_parser("list", help="payments, the newest first")
        listing.add_argument("--state", default="", help="waiting, authorized, paid, failed or closed")
        listing.add_argument("--channel", default="")
        for action in _ACTIONS:
            acting = words.add_parser(
                action, help=f"{action} a payment; the newest that waits if none is named"
            )
            acting.add_argument(
                "payment", nargs="?", default="", help="its reference (att_…) or the sandbox's id"
            )
        challenge = words.add_parser("challenge", help="answer a 3-D Secure challenge")
        challenge.add_argument("verdict", choices=("pass", "fail"))
        challenge.add_argument("payment", nargs="?", default="")
        words.add_parser("deliveries", help="notifications and how they fared")
        resend = words.add_parser("resend", help="send a notification once more")
        resend.add_argument("delivery", help="dlv_…")
        words.add_parser("truth", help="the money that really moved, for every payment")

    def handle(self, *args: Any, **options: Any) -> None:
        word: str = options["word"]
        if word in _ACTIONS:
            answer = self._ask("POST", f"/control/payments/{self._payment(options['payment'])}/{word}")
        elif word == "challenge":
            payment = self._payment(options["payment"])
            answer = self._ask("POST", f"/control/challenges/{payment}/{options['verdict']}")
        elif word == "resend":
            answer = self._ask("POST", f"/control/deliveries/{options['delivery']}/resend")
        elif word == "list":
            answer = self._ask("GET", "/control/payments", state=options["state"], channel=options["channel"])
        else:
            answer = self._ask(
                "GET", {"deliveries": "/control/deliveries", "truth": "/control/ground-truth"}[word]
            )
        self._print(answer, as_json=options["json"])

    def _payment(self, named: str) -> str:
        """The sandbox's id of what the user named, or of the newest payment that waits."""
        narrowed = {"reference": named} if named else {"state": "waiting"}
        found = self._ask("GET", "/control/payments", **narrowed)["payments"]
        if not found and not named:
            raise CommandError("No payment waits.")
        return str(found[0]["id"]) if found else named

    def _ask(self, method: str, path: str, **query: str) -> Any:
        if not settings.SANDBOX_URL:
            raise CommandError("SANDBOX_URL is not set: this installation has no sandbox.")
        try:
            with httpx.Client(base_url=settings.SANDBOX_URL, timeout=10, trust_env=False) as client:
                answer = client.request(method, path, params=query)
        except httpx.TransportError as error:
            raise CommandError(f"The sandbox at {settings.SANDBOX_URL} does not answer: {error}") from error
        if answer.is_error:
            raise CommandError(self._trouble(answer))
        return answer.json()

    @staticmethod
    def _trouble(answer: httpx.Response) -> str:
        try:
            return str(answer.json()["error"])
        except (ValueError, KeyError, TypeError):
            return f"The sandbox answered {answer.status_code}."

    def _print(self, answer: Any, *, as_json: bool) -> None:
        rows = next((value for value in answer.values() if isinstance(value, list)), [answer])
        if as_json:
            self.stdout.write(json.dumps(answer, indent=2, ensure_ascii=False))
        elif not rows:
            self.stdout.write("Nothing.")
        else:
            for row in rows:
                self.stdout.write("  ".join(_shown(row)))


def _shown(row: dict[str, Any]) -> list[str]:
    """One line's columns: who, how much, and how it stands."""
    if "event_id" in row:
        status = str(row["last_status"] or row["last_error"] or "-")
        return [row["id"], row["channel"], row["kind"], row["state"], f"x{row['attempts']}", status]
    columns = [
        str(row[name]) for name in ("channel", "reference", "amount", "currency", "state") if name in row
    ]
    money = [f"{name} {row[name]}" for name in ("captured", "refunded") if name in row]
    rest = [f"{name} {row[name]}" for name in ("payment", "status") if name in row and "channel" not in row]
    return [*columns, *money, *rest]
