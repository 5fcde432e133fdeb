"""What a channel should have kept, as SQL over one side of a comparison. Thousandths of a minor unit."""

from reconciliation.terms import Tariff, Tolerance


def expected(tariff: Tariff | None, ours: str, rate: int) -> str:
    """For the movement under the alias `ours`; NULL where nothing is agreed."""
    if tariff is None:
        return f"({ours}.fee * 1000)"
    return (
        f"(CASE {ours}.kind WHEN 'payment' THEN {_of_payment(tariff, ours, rate)}"
        f" WHEN 'refund' THEN {_of_refund(tariff, ours, rate)} ELSE {ours}.fee * 1000 END)"
    )


def agree(tariff: Tariff | None, line: str, ours: str) -> str:
    """Whether the line's fee is just one of those that are agreed: what a tolerance forgives is looked at closer."""
    known = f"{line}.fee = coalesce({ours}.fee * 1000, {line}.fee)"
    if tariff is None:
        return f"({known})"
    payment = " OR ".join(f"{line}.fee = {_of_payment(tariff, ours, rate)}" for rate in tariff.rates)
    refund = " OR ".join(f"{line}.fee = {_of_refund(tariff, ours, rate)}" for rate in tariff.rates)
    return f"(CASE {ours}.kind WHEN 'payment' THEN {payment} WHEN 'refund' THEN {refund} ELSE {known} END)"


def apart(tariff: Tariff | None, tolerance: Tolerance, line: str, ours: str) -> str:
    """Whether the fees lie further apart than is forgiven, whichever of the rates applies."""
    forgiven = f"(CASE {ours}.kind WHEN 'refund' THEN {tolerance.refund_fee} ELSE {tolerance.fee} END)"
    near = (
        f"coalesce(abs({line}.fee - {expected(tariff, ours, rate)}), 0) <= {forgiven}"
        for rate in (tariff.rates if tariff else (0,))
    )
    return f"NOT ({' OR '.join(near)})"


def _of_payment(tariff: Tariff, ours: str, rate: int) -> str:
    fee = _share(tariff, f"{ours}.amount", rate)
    if tariff.fixed:
        fee = f"{fee} + {tariff.fixed * 1000}"
    if tariff.least:
        fee = f"greatest({fee}, {tariff.least * 1000})"
    return fee if tariff.most is None else f"least({fee}, {tariff.most * 1000})"


def _of_refund(tariff: Tariff, ours: str, rate: int) -> str:
    return f"-({_share(tariff, f'-{ours}.amount', rate)})" if tariff.gives_back else "0"


def _share(tariff: Tariff, amount: str, rate: int) -> str:
    half = f" + {5 * tariff.unit}" if tariff.half_up else ""
    return f"(({amount}) * {rate}{half}) / {10 * tariff.unit} * {tariff.unit}"
