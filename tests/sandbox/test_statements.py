"""Statements that are wrong in a known way, payouts at the bank, and the truth that stays what it was."""

import io
from collections import Counter
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import fromstring
from zipfile import ZipFile

import pytest

from payments.channels.contract import ChannelUnavailable, StatementNotReady
from tests.channels.world import HTTP, running_receiver, running_sandbox
from tests.sandbox.settled import FILES, READERS, Settled, trade

PAYING_OUT = sorted(READERS)
# what the second day brought, 100.00 paid and 25.00 given back, after the channel's fee
NET = {"alipay": 74_40, "ecny": 75_00, "stripe": 71_80, "unionpay": 74_40, "wechat": 74_60}


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settled]:
    with running_sandbox(tmp_path_factory.mktemp("settled")) as world, running_receiver() as receiver:
        yield trade(world, receiver)


@pytest.fixture
def plant(settled: Settled) -> Iterator[Any]:
    """Plants, and takes everything back in the end: what was told before is told again."""
    planted = []

    def made(*asked: Any, **more: Any) -> dict[str, Any]:
        planted.append(settled.plant(*asked, **more))
        return planted[-1]

    before = truth(settled)
    yield made
    assert truth(settled) == before
    for one in planted:
        settled.forget(one)


def truth(settled: Settled) -> Any:
    return [
        settled.world.ask("GET", f"/control/ground-truth/{part}") for part in ("movements", "payouts", "bank")
    ]


class TestPayouts:
    @pytest.mark.parametrize("code", PAYING_OUT)
    def test_each_is_one_deposit(self, settled: Settled, code: str) -> None:
        told = settled.world.ask("GET", f"/control/ground-truth/payouts?merchant={settled.merchant(code)}")
        rows = settled.lines(code)
        assert [(row["end_to_end_id"], row["amount"]) for row in rows] == [
            (payout["id"], f"{payout['amount'] / 100:.2f}") for payout in told["payouts"]
        ]
        assert len(rows) == 2 and rows[-1]["amount"] == f"{NET[code] / 100:.2f}"
        assert all(row["end_to_end_id"] in row["text"] or code == "unionpay" for row in rows)

    @pytest.mark.parametrize(("code", "file"), [("alipay", "signcustomer"), ("wechat", "fundflow")])
    def test_the_fund_bill_has_the_withdrawal(self, settled: Settled, code: str, file: str) -> None:
        content = settled.fetch(code, 1, file)
        if code == "alipay":
            with ZipFile(io.BytesIO(content)) as archive:
                content = b"".join(archive.read(name) for name in archive.namelist())
        text = content.decode("gb18030" if code == "alipay" else "utf-8-sig")
        (payout, _) = settled.world.ask(
            "GET", f"/control/ground-truth/payouts?merchant={settled.merchant(code)}"
        )["payouts"]
        row = next(line for line in text.splitlines() if payout["id"] in line)
        assert "提现" in row and f"{payout['amount'] / 100:.2f}" in row

    def test_three_formats_say_the_same(self, settled: Settled) -> None:
        rows = settled.lines("alipay", range(2, 3))
        camt = fromstring(settled.bank("alipay", 2, "camt.053"))
        swift = settled.bank("alipay", 2, "mt940").split("\r\n")
        opening, closing = (one.findtext("{*}Amt") for one in camt.iterfind("*/{*}Stmt/{*}Bal"))
        assert [row["amount"] for row in rows] == [
            one.findtext("{*}Amt") for one in camt.iterfind("*/{*}Stmt/{*}Ntry")
        ]
        assert closing == rows[-1]["balance"] and opening == settled.lines("alipay")[0]["balance"]
        for mark, balance in ((":60F:C", opening), (":62F:C", closing)):
            (line,) = [line for line in swift if line.startswith(mark)]
            assert line.endswith(f"CNY{(balance or '').replace('.', ',')}")
        assert f"/EREF/{rows[0]['end_to_end_id']}/" in "".join(swift)


@pytest.mark.parametrize("code", PAYING_OUT)
class TestRows:
    def test_a_row_is_not_there(self, settled: Settled, plant: Any, code: str) -> None:
        before = settled.sums(code)
        gone = [plant(code, kind) for kind in ("missing", "refund_missing")]
        assert [one["expected"] for one in gone] == ["missing_there"] * 2
        assert Counter(before) - Counter(settled.sums(code)) == Counter(one["amount"] for one in gone)

    def test_a_row_is_not_ours_or_there_twice(self, settled: Settled, plant: Any, code: str) -> None:
        before = settled.sums(code)
        twice, foreign = plant(code, "duplicate"), plant(code, "foreign", by=4_321)
        assert (twice["expected"], foreign["expected"]) == ("duplicate", "missing_here")
        assert Counter(settled.sums(code)) - Counter(before) == Counter([twice["amount"], 4_321])

    def test_a_row_says_something_else(self, settled: Settled, plant: Any, code: str) -> None:
        before = settled.sums(code)
        amount, fee = plant(code, "amount", by=7), plant(code, "fee", by=3)
        assert (amount["expected"], fee["expected"]) == ("amount", "fee")
        assert Counter(settled.sums(code)) - Counter(before) == Counter([amount["amount"] + 7])

    def test_a_row_comes_a_day_late(self, settled: Settled, plant: Any, code: str) -> None:
        first, second = settled.sums(code), settled.sums(code, 1)
        late = plant(code, "late")
        assert Counter(first) - Counter(settled.sums(code)) == Counter([late["amount"]])
        assert Counter(settled.sums(code, 1)) - Counter(second) == Counter([late["amount"]])


def test_a_row_of_another_currency_or_state(settled: Settled, plant: Any) -> None:
    plant("wechat", "currency")
    plant("wechat", "state", state="processing")
    plant("stripe", "currency", currency="EUR")
    text = settled.fetch("wechat").decode("utf-8-sig")
    assert text.count("`USD") == 1 and text.count("`PROCESSING") == 1
    assert settled.fetch("stripe").decode().count(",eur,") >= 1


class TestBank:
    def test_deposits_are_missing_split_or_joined(self, settled: Settled, plant: Any) -> None:
        days = {code: settled.lines(code) for code in ("wechat", "ecny", "unionpay", "alipay")}
        plant_at(settled, plant, "wechat", "deposit_missing")
        plant_at(settled, plant, "ecny", "deposit_split")
        plant_at(settled, plant, "unionpay", "deposits_joined")
        wrong = plant_at(settled, plant, "alipay", "payout_amount", by=11)
        assert settled.lines("wechat") == [{**days["wechat"][1], "balance": days["wechat"][1]["amount"]}]
        first, second, third = settled.lines("ecny")
        assert float(first["amount"]) + float(second["amount"]) == float(days["ecny"][0]["amount"])
        assert third["balance"] == days["ecny"][1]["balance"]
        (joined,) = settled.lines("unionpay")
        assert joined["amount"] == joined["balance"] == days["unionpay"][1]["balance"]
        assert days["unionpay"][0]["end_to_end_id"] in joined["text"]
        assert settled.lines("alipay")[0]["amount"] == f"{(wrong['amount'] + 11) / 100:.2f}"

    def test_money_that_nobody_explains(self, settled: Settled, plant: Any) -> None:
        stray = plant_at(settled, plant, "stripe", "unexplained")
        row = next(row for row in settled.lines("stripe") if row["end_to_end_id"] == "")
        assert (row["amount"], stray["expected"]) == (f"{stray['amount'] / 100:.2f}", "bank_unexplained")

    def test_the_channel_tells_of_another_withdrawal(self, settled: Settled, plant: Any) -> None:
        for code, file in (("alipay", "signcustomer"), ("wechat", "fundflow")):
            before = settled.fetch(code, 1, file)
            assert plant(code, "payout_amount", 1)["expected"] == "deposit_amount"
            assert settled.fetch(code, 1, file) != before


def plant_at(settled: Settled, plant: Any, code: str, kind: str, **more: Any) -> dict[str, Any]:
    """In the bank's statement of the day of the channel's first deposit."""
    number = next(number for number in range(7) if settled.bank(code, number))
    merchant = settled.merchant(code)
    planted: dict[str, Any] = plant("bank", kind, number, merchant=merchant, **more)
    return planted


class TestFiles:
    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            *((code, kind) for code in ("alipay", "unionpay") for kind in ("truncated", "damaged")),
            *(("wechat", "truncated"), ("wechat", "damaged"), ("wechat", "wrong_hash")),
            *(
                ("ecny", "truncated"),
                ("ecny", "wrong_hash"),
                ("stripe", "not_ready"),
                ("alipay", "not_ready"),
                ("unionpay", "not_ready"),
            ),
        ],
    )
    def test_the_channel_refuses_it_and_gets_the_right_one_then(
        self, settled: Settled, plant: Any, code: str, kind: str
    ) -> None:
        before = settled.fetch(code)
        plant(code, kind, file=FILES[code])
        with pytest.raises(ChannelUnavailable):
            settled.fetch(code)
        assert settled.fetch(code) == before

    @pytest.mark.parametrize("code", ["wechat", "ecny"])
    def test_it_is_not_ready_for_a_while(self, settled: Settled, plant: Any, code: str) -> None:
        plant(code, "not_ready", file=FILES[code], times=2)
        for _ in range(2):
            with pytest.raises(StatementNotReady):
                settled.fetch(code)
        assert settled.sums(code)

    @pytest.mark.parametrize("code", PAYING_OUT)
    def test_a_file_is_not_this_days_or_is_corrected(self, settled: Settled, plant: Any, code: str) -> None:
        first, second = settled.fetch(code), settled.fetch(code, 1)
        plant(code, "repeated", 1, file=FILES[code])
        assert READERS[code](settled.fetch(code, 1)) == READERS[code](first)
        for kind in ("mixed_days", "corrected"):
            plant(code, kind, 1, file=FILES[code])
            assert settled.sums(code, 1) != READERS[code](second)
        assert settled.fetch(code, 1) == settled.fetch(code, 1) == second

    def test_it_is_another_merchants(self, settled: Settled, plant: Any) -> None:
        for code, field in (("alipay", "seller_id"), ("wechat", "mchid"), ("unionpay", "mer_id")):
            account = settled.merchants[code][code]
            plant(code, "other_merchant", file=FILES[code])
            content = settled.fetch(code)
            if code == "alipay":
                with ZipFile(io.BytesIO(content)) as archive:
                    content = archive.read(archive.namelist()[0])
            assert account.get(field, "?").encode() not in content

    def test_a_zip_that_leads_out_of_its_folder_or_is_a_bomb(self, settled: Settled, plant: Any) -> None:
        plant("alipay", "path_traversal", file="trade")
        with ZipFile(io.BytesIO(settled.fetch("alipay"))) as archive:
            assert any(name.startswith("../") for name in archive.namelist())
        plant("alipay", "zip_bomb", file="trade")
        with pytest.raises(ChannelUnavailable, match="larger"):
            settled.fetch("alipay")

    def test_inside_it_only_its_own_sums_tell(self, settled: Settled, plant: Any) -> None:
        for code in ("wechat", "alipay"):
            plant(code, "damaged", file="trade", deep=True)
            with pytest.raises(AssertionError):
                settled.sums(code)


class TestControl:
    def test_the_list_tells_the_truth(self, settled: Settled, plant: Any) -> None:
        planted = plant("wechat", "amount")
        listed = settled.world.ask("GET", "/control/statements/faults?channel=wechat")["faults"]
        assert [one for one in listed if one["id"] == planted["id"]] == [planted]
        known = settled.world.ask("GET", "/control/ground-truth/movements?channel=wechat")["movements"]
        (meant,) = [one for one in known if one["reference"] == planted["reference"]]
        assert (meant["amount"], meant["fee"]) == (planted["amount"], planted["fee"])

    @pytest.mark.parametrize(
        "asked",
        [
            {"channel": "crypto"},
            {"kind": "horoscope"},
            {"file": "horoscope"},
            {"day": "soon"},
            {"merchant": "nobody"},
            {"by": "much"},
            {"channel": "unionpay", "kind": "damaged", "deep": True},
        ],
    )
    def test_what_can_not_be_planted_is_refused(self, settled: Settled, asked: dict[str, Any]) -> None:
        said = {"channel": "wechat", "merchant": settled.merchant("wechat"), "day": str(settled.day(0))}
        answer = HTTP.post(
            f"{settled.world.url}/control/statements/faults", json={**said, "kind": "amount", **asked}
        )
        assert answer.status_code == 400 and answer.json()["error"]

    def test_a_mix_plants_one_of_each_and_again_the_same(self, settled: Settled) -> None:
        asked = {
            "seed": 7,
            "merchant": settled.merchant("wechat"),
            "channels": ["wechat", "bank"],
            "first": str(settled.day(0)),
            "last": str(settled.day(3)),
        }
        mixes = []
        for _ in range(2):
            made = settled.world.ask("POST", "/control/statements/mix", asked)["faults"]
            mixes.append({(one["channel"], one["kind"], one["day"]) for one in made})
            assert all(one["planted"] for one in made)
            for one in made:
                settled.forget(one)
        assert mixes[0] == mixes[1]
        kinds = {kind for channel, kind, _ in mixes[0] if channel == "wechat"}
        assert {"missing", "foreign", "amount", "state", "refund_missing"} <= kinds

    @pytest.mark.parametrize("code", PAYING_OUT)
    def test_in_a_mix_none_hides_another(self, settled: Settled, code: str) -> None:
        for seed in range(5):
            asked = {"seed": seed, "merchant": settled.merchant(code), "channels": [code, "bank"]}
            span = {"first": str(settled.day(0)), "last": str(settled.day(3)), "late_days": 3}
            made = settled.world.ask("POST", "/control/statements/mix", {**asked, **span})["faults"]
            rows = [one for one in made if one.get("key")]
            for one in made:
                if one not in rows:
                    settled.forget(one)
            # Both days have a row still, and what became of a payout is told by one of the two only.
            assert settled.sums(code) and settled.sums(code, 1)
            names = ("key", "reference", "joined_reference")
            payouts = [
                {one[name] for name in names if one.get(name)}
                for one in rows
                if one["kind"].startswith(("payout", "deposit"))
            ]
            assert len(set().union(*payouts)) == sum(map(len, payouts))
            for one in rows:
                settled.forget(one)

    def test_damage_strikes_what_is_read(self, settled: Settled, plant: Any) -> None:
        for code in ("alipay", "unionpay"):
            before = settled.fetch(code, 1)
            plant(code, "damaged", 1, file=FILES[code])
            with pytest.raises(ChannelUnavailable):
                settled.fetch(code, 1)
            assert settled.fetch(code, 1) == before


class TestPage:
    def test_people_plant_and_take_back(self, settled: Settled) -> None:
        asked = {
            "statement": "wechat/trade",
            "kind": "amount",
            "day": str(settled.day(0)),
            "merchant": settled.merchant("wechat"),
        }
        where = f"{settled.world.url}/statements"
        assert HTTP.post(where, data=asked, headers={"Origin": "http://evil.example"}).status_code == 403
        assert HTTP.post(where, data={**asked, "day": ""}).status_code == 422
        assert HTTP.post(where, data=asked).status_code == 303
        (planted,) = settled.world.ask("GET", "/control/statements/faults")["faults"]
        assert planted["reference"] in HTTP.get(where).text
        assert HTTP.post(f"{where}/{planted['id']}/forget").status_code == 303
        assert settled.world.ask("GET", "/control/statements/faults")["faults"] == []


def test_the_truth_adds_up_to_the_banks_balance(settled: Settled) -> None:
    for code in PAYING_OUT:
        merchant = f"merchant={settled.merchant(code)}"
        days = settled.world.ask("GET", f"/control/ground-truth/days?{merchant}&channel={code}")["days"]
        held = sum(
            day["captured"] - day["refunded"] - day["fees"] + day["fees_returned"] - day["paid_out"]
            for day in days
        )
        lines = settled.world.ask("GET", f"/control/ground-truth/bank?{merchant}")["lines"]
        assert held == 0 and sum(day["paid_out"] for day in days) == sum(line["amount"] for line in lines)
        assert [day["captured"] for day in days if day["captured"]] == [31_100, 10_000]


def test_the_truth_comes_in_pages(settled: Settled) -> None:
    where, found, after = "/control/ground-truth/movements?limit=4", [], "0"
    while after:
        page = settled.world.ask("GET", f"{where}&after={after}")
        found += page["movements"]
        after = page["next"]
    assert found == settled.world.ask("GET", "/control/ground-truth/movements")["movements"]
