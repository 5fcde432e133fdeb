"""`manage.py sandbox …`: be the wallet, the issuer and the bank, from the terminal."""

import json
from argparse import RawDescriptionHelpFormatter
from typing import Any

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

_ACTIONS = ("scan", "pay", "decline", "expire")
_READS = {
    "deliveries": "deliveries",
    "truth": "ground-truth",
    "open": "open",
    "mistakes": "statements/faults",
}
_MONEY = ("captured", "refunded", "disputed", "reinstated", "dispute_fees")
_ALWAYS = ("captured", "refunded")
_NARROWING = ("channel", "merchant", "match", "reference", "event", "path", "method")
_MORE = ("seconds", "times", "count", "status", "amount", "reason", "day", "file", "by", "days", "deep")
_EXAMPLES = """
examples:
  sandbox pay                                  the newest payment that waits
  sandbox fault drop_after --path /stripe/v1/refunds
  sandbox fault error_before --status 503 --channel wechat --match att_01j… --times 3
  sandbox notice contradict --channel alipay   the next one of Alipay is followed by an older state
  sandbox deliver forged dlv_…                 this one again, with one digit changed
  sandbox fate refund succeeds_fails --seconds 3600
  sandbox dispute att_01j… --reason fraudulent
  sandbox clock --advance 86400                a day goes by at the providers
  sandbox clock --set 2026-10-20T00:00:00+08:00  before the first payment: a month of the past begins
  sandbox statement late --channel wechat --day 2026-10-21
  sandbox mix --seed 7 requests=0.15 notifications=0.25 disputes=0.02
  sandbox mix --off                            let it all settle
"""


class Command(BaseCommand):
    help = "Ask the sandbox: be the customer, the bank, the provider in trouble, and time itself."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(
            prog_name, subcommand, epilog=_EXAMPLES, formatter_class=RawDescriptionHelpFormatter, **kwargs
        )

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
        words.add_parser("open", help="what is not finished at the providers")
        words.add_parser("mistakes", help="what was planted in statements, and the truth of it")
        _add_misfortunes(words)

    def handle(self, *args: Any, **options: Any) -> None:
        method, path, asked = self._request(options)
        narrowed = {name: options[name] for name in ("state", "channel")} if options["word"] == "list" else {}
        self._print(self._ask(method, f"/control/{path}", asked, **narrowed), as_json=options["json"])

    def _request(self, options: dict[str, Any]) -> tuple[str, str, dict[str, Any] | None]:
        """Method, path behind /control/, and body."""
        word: str = options["word"]
        if word in _ACTIONS:
            return "POST", f"payments/{self._payment(options['payment'])}/{word}", None
        if word == "challenge":
            return "POST", f"challenges/{self._payment(options['payment'])}/{options['verdict']}", None
        if word == "dispute":
            return "POST", f"payments/{self._payment(options['payment'])}/dispute", _given(options)
        if word == "resend":
            return "POST", f"deliveries/{options['delivery']}/resend", None
        if word == "deliver":
            how = f"deliveries/{options['delivery']}/twisted/{options['kind']}"
            return "POST", how, {k: v for k, v in _given(options).items() if k != "kind"}
        if word == "list":
            return "GET", "payments", None
        if word in _READS:
            return "GET", _READS[word], None
        return _dial(word, options)

    def _payment(self, named: str) -> str:
        """The sandbox's id of what the user named, or of the newest payment that waits."""
        found = self._ask("GET", "/control/payments", reference=named, state="" if named else "waiting")[
            "payments"
        ]
        if not found and not named:
            raise CommandError("No payment waits.")
        return str(found[0]["id"]) if found else named

    def _ask(self, method: str, path: str, asked: dict[str, Any] | None = None, **query: str) -> Any:
        if not settings.SANDBOX_URL:
            raise CommandError("SANDBOX_URL is not set: this installation has no sandbox.")
        try:
            with httpx.Client(base_url=settings.SANDBOX_URL, timeout=10, trust_env=False) as client:
                answer = client.request(method, path, params=query, json=asked)
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
        rows = next(
            (
                answer[name]
                for name in ("payments", "deliveries", "movements", "faults")
                if type(answer.get(name)) is list
            ),
            [answer],
        )
        if as_json:
            self.stdout.write(json.dumps(answer, indent=2, ensure_ascii=False))
        elif not rows:
            self.stdout.write("Nothing.")
        else:
            for row in rows:
                self.stdout.write("  ".join(_shown(row)))


def _add_misfortunes(words: Any) -> None:
    """What goes wrong, later or by chance: the sandbox itself says which kinds there are."""
    fault = words.add_parser("fault", help="the next matching request meets it: drop_after, hang_before, …")
    notice = words.add_parser("notice", help="the next matching notification meets it: duplicate, late, …")
    fate = words.add_parser("fate", help="what becomes of the next pay, refund or dispute")
    fate.add_argument("deed", choices=("pay", "refund", "dispute"))
    fate.add_argument(
        "fate", help="a decline code; pending_succeeds, pending_fails, succeeds_fails; a reason"
    )
    deliver = words.add_parser("deliver", help="send a notification again: duplicate, late, forged, stale, …")
    dispute = words.add_parser("dispute", help="the customer's bank takes the money back")
    dispute.add_argument("payment", help="its reference (att_…) or the sandbox's id")
    for parser in (fault, notice, deliver):
        parser.add_argument("kind")
    deliver.add_argument("delivery", help="dlv_…")
    _add_options(fault, "path", "method", "channel", "merchant", "match", "seconds", "status", "times")
    _add_options(notice, "channel", "merchant", "reference", "event", "seconds", "count", "times")
    _add_options(fate, "channel", "reference", "seconds", "times")
    _add_options(deliver, "seconds", "count")
    _add_options(dispute, "amount", "reason")
    statement = words.add_parser("statement", help="plant a mistake in a statement: missing, fee, late, …")
    statement.add_argument("kind")
    statement.add_argument("--channel", required=True)
    statement.add_argument("--day", required=True, help="YYYY-MM-DD, the channel's own day")
    statement.add_argument("--deep", action="store_const", const=True, help="inside the file, hashed again")
    _add_options(statement, "merchant", "file", "reference", "by", "days", "times")
    clock = words.add_parser("clock", help="show the providers' clock, or let it jump forward")
    clock.add_argument("--advance", type=int, help="seconds")
    clock.add_argument(
        "--set", help="a moment to come, as 2030-01-31T12:00:00Z; or gone, before the first payment"
    )
    mix = words.add_parser("mix", help="a random mix of all that, which can be repeated")
    mix.add_argument("--seed", type=int)
    mix.add_argument("--off", action="store_true", help="let things settle")
    mix.add_argument("shares", nargs="*", help="requests=0.15 notifications=0.25 declines=0.05 …")


def _add_options(parser: CommandParser, *names: str) -> None:
    for name in names:
        whole = name in ("times", "count", "status", "amount", "by", "days")
        kind = int if whole else float if name == "seconds" else str
        parser.add_argument(f"--{name}", type=kind)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """What was said, for the sandbox to judge."""
    names = ("kind", "deed", "fate", *_NARROWING, *_MORE)
    return {name: options[name] for name in names if options.get(name) is not None}


def _dial(word: str, options: dict[str, Any]) -> tuple[str, str, dict[str, Any] | None]:
    if word == "clock":
        asked = {name: options[name] for name in ("advance", "set") if options[name] is not None}
        return ("POST", "clock", asked) if asked else ("GET", "clock", None)
    if word == "mix":
        mix = _mix(options)
        return ("POST", "mix", mix) if mix else ("GET", "mix", None)
    paths = {"fault": "faults", "notice": "notification-faults", "fate": "fates"}
    paths["statement"] = "statements/faults"
    return "POST", paths[word], _given(options)


def _mix(options: dict[str, Any]) -> dict[str, Any]:
    asked: dict[str, Any] = {"off": True} if options["off"] else {}
    if options["seed"] is not None:
        asked["seed"] = options["seed"]
    for share in options["shares"]:
        name, _, value = share.partition("=")
        try:
            asked[name] = json.loads(value)
        except ValueError as error:
            raise CommandError(f"{share!r} is not of the form requests=0.15") from error
    return asked


def _shown(row: dict[str, Any]) -> list[str]:
    """One line's columns: who, how much, and how it stands."""
    if "event_id" in row:
        status = str(row["last_status"] or row["last_error"] or "-")
        return [row["id"], row["channel"], row["kind"], row["state"], f"x{row['attempts']}", status]
    if "expected" in row or ("reference" not in row and "status" not in row):
        return [f"{name} {_plain(value)}" for name, value in row.items() if value not in ({}, [], "")]
    columns = [
        str(row[name]) for name in ("channel", "reference", "amount", "currency", "state") if name in row
    ]
    money = [f"{name} {row[name]}" for name in _MONEY if row.get(name) or (name in _ALWAYS and name in row)]
    rest = [f"{name} {row[name]}" for name in ("payment", "status") if name in row and "channel" not in row]
    return [*columns, *money, *rest]


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(inner)}" for name, inner in value.items())
    return str(value)
