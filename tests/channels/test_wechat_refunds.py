"""WeChat Pay's refunds that do not simply succeed: slow, refused by the customer's bank, closed; and told late."""

import pytest

from ledger.money import Money
from payments.channels.contract import MovementRequest, Notice, NoticeKind, Outcome, StartRequest
from payments.channels.wechat.channel import BankCard, from_settings
from tests.channels.drivers.wechat import WechatDriver
from tests.channels.scenes import refund_request
from tests.channels.world import HTTP, Receiver, Sandbox, eventually

SLOW, ABNORMAL, CLOSED = 66_671, 66_672, 66_673


@pytest.fixture(scope="module")
def wx(sandbox: Sandbox, receiver: Receiver) -> WechatDriver:
    return WechatDriver(sandbox, receiver, "refunds")


def refund_of(wx: WechatDriver, amount: int) -> tuple[StartRequest, MovementRequest]:
    start, movement = refund_request(wx, amount, 100_000)
    assert wx.channel.refund(movement).outcome is Outcome.PENDING
    return start, movement


def end(wx: WechatDriver, movement: MovementRequest, status: str) -> int:
    path = f"/control/wechat/{wx.account['mchid']}/refunds/{movement.movement_reference}/{status}"
    return HTTP.post(wx.sandbox.url + path).status_code


def told(wx: WechatDriver, movement: MovementRequest, code: str) -> Notice:
    def look() -> list[Notice]:
        found = [wx.channel.read_notice(one.headers, one.body) for one in wx.receiver.at(wx.notify_path)]
        refunds = [one for one in found if one.movement_reference == movement.movement_reference]
        return [one for one in refunds if one.answer.code == code]

    return eventually(look)[0]


def given_back(wx: WechatDriver, start: StartRequest) -> int:
    return int(wx.sandbox.payments(start.reference)[0]["refunded"])


def test_a_slow_one_is_pending_until_it_is_over(wx: WechatDriver) -> None:
    start, movement = refund_of(wx, SLOW)
    assert wx.channel.query_refund(movement).outcome is Outcome.PENDING
    assert given_back(wx, start) == SLOW
    assert end(wx, movement, "SUCCESS") == 200
    notice = told(wx, movement, "")
    assert (notice.kind, notice.answer.outcome) == (NoticeKind.REFUND, Outcome.SUCCEEDED)
    assert notice.answer.amount == Money(SLOW, "CNY")
    assert wx.channel.query_refund(movement).outcome is Outcome.SUCCEEDED
    assert end(wx, movement, "CLOSED") == 409


def test_a_closed_one_failed_and_its_money_is_ours_again(wx: WechatDriver) -> None:
    start, movement = refund_of(wx, CLOSED)
    answer = told(wx, movement, "CLOSED").answer
    assert (answer.outcome, bool(answer.message)) == (Outcome.ERRORED, True)
    assert wx.channel.query_refund(movement).outcome is Outcome.ERRORED
    assert given_back(wx, start) == 0


class TestAbnormal:
    """The money has left our balance and has not arrived: neither failed nor over."""

    def test_it_stays_pending_with_a_word_for_a_person(self, wx: WechatDriver) -> None:
        start, movement = refund_of(wx, ABNORMAL)
        notice = told(wx, movement, "ABNORMAL")
        for answer in (notice.answer, wx.channel.query_refund(movement), wx.channel.refund(movement)):
            assert (answer.outcome, answer.code) == (Outcome.PENDING, "ABNORMAL")
            assert "finish" in answer.message
        assert given_back(wx, start) == ABNORMAL

    @pytest.mark.parametrize("card", [None, BankCard("ICBC_DEBIT", "6222020200012345678", "王小明")])
    def test_it_is_finished_to_another_account_once(self, wx: WechatDriver, card: BankCard | None) -> None:
        start, movement = refund_of(wx, ABNORMAL)
        channel = from_settings(wx.settings())
        assert channel.finish_abnormal_refund(movement, card).outcome is Outcome.PENDING
        assert wx.channel.query_refund(movement).outcome is Outcome.SUCCEEDED
        assert channel.finish_abnormal_refund(movement, card).outcome is Outcome.SUCCEEDED
        assert told(wx, movement, "").answer.outcome is Outcome.SUCCEEDED
        assert given_back(wx, start) == ABNORMAL

    def test_no_answer_is_unknown_and_asking_again_finishes_it(self, wx: WechatDriver) -> None:
        _, movement = refund_of(wx, ABNORMAL)
        channel = from_settings(wx.settings())
        wx.sandbox.fault("/wechat/v3/refund", "drop_after", method="POST")
        assert channel.finish_abnormal_refund(movement).outcome is Outcome.UNKNOWN
        assert channel.finish_abnormal_refund(movement).outcome is Outcome.SUCCEEDED

    def test_a_card_that_names_no_bank_changes_nothing(self, wx: WechatDriver) -> None:
        _, movement = refund_of(wx, ABNORMAL)
        answer = from_settings(wx.settings()).finish_abnormal_refund(movement, BankCard("", "6222", "王小明"))
        assert (answer.outcome, answer.code) == (Outcome.PENDING, "ABNORMAL")

    def test_a_success_that_the_bank_sends_back_later(self, wx: WechatDriver) -> None:
        start, movement = refund_of(wx, 2_500)
        assert told(wx, movement, "").answer.outcome is Outcome.SUCCEEDED
        assert end(wx, movement, "ABNORMAL") == 200
        assert told(wx, movement, "ABNORMAL").answer.outcome is Outcome.PENDING
        assert given_back(wx, start) == 2_500


def test_a_card_is_not_shown(wx: WechatDriver) -> None:
    assert "6222" not in repr(BankCard("ICBC_DEBIT", "6222020200012345678", "王小明"))
