"""WeChat Pay's keys: the public key and the certificates, both during a switch; wrong signatures made on purpose."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from payments.channels.contract import InvalidSignature, Notice, Outcome, StaleNotice
from payments.channels.transport import Transport
from payments.channels.wechat.channel import WechatChannel, from_settings
from tests.channels.drivers.wallet import new_key
from tests.channels.drivers.wechat import WechatDriver
from tests.channels.scenes import payment_notices
from tests.channels.world import Arrived, Receiver, Sandbox, eventually


class Clock:
    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wx(sandbox: Sandbox, receiver: Receiver, request: pytest.FixtureRequest) -> WechatDriver:
    """A merchant of its own for each test: keys are changed for good."""
    return WechatDriver(sandbox, receiver, request.node.name)


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses of all calls that fetch certificates."""
    asked: list[str] = []
    send = Transport.send

    def noting(self: Transport, method: str, url: str, **more: Any) -> Any:
        if url.endswith("/v3/certificates"):
            asked.append(url)
        return send(self, method, url, **more)

    monkeypatch.setattr(Transport, "send", noting)
    return asked


def arrange(wx: WechatDriver, **asked: int) -> list[str]:
    serials: list[str] = wx.sandbox.ask("POST", f"/control/wechat/{wx.account['mchid']}/signing", asked)[
        "serials"
    ]
    return serials


def certified(wx: WechatDriver, clock: Callable[[], datetime], **changed: Any) -> WechatChannel:
    return from_settings(wx.settings(platform_certificates=True, clock=clock, **changed))


class TestCertificateMode:
    def test_certificates_alone(self, wx: WechatDriver, clock: Clock, fetched: list[str]) -> None:
        arrange(wx, certificates=1)
        channel = certified(wx, clock, platform_keys=[])
        start = wx.start_request()
        assert channel.start(start).outcome is Outcome.ACTION_REQUIRED
        wx.customer_pays(start)
        assert channel.query(wx.movement(start)).outcome is Outcome.SUCCEEDED
        arrived = eventually(lambda: wx.receiver.at(wx.notify_path))[0]
        assert channel.read_notice(arrived.headers, arrived.body).reference == start.reference
        assert len(fetched) == 1

    def test_they_are_fetched_again_after_twelve_hours(
        self, wx: WechatDriver, clock: Clock, fetched: list[str]
    ) -> None:
        arrange(wx, certificates=1)
        channel = certified(wx, clock, platform_keys=[])
        start = wx.start_request()
        channel.start(start)
        wx.customer_pays(start)
        arrived = eventually(lambda: wx.receiver.at(wx.notify_path))[0]
        for hours, calls in ((0, 1), (11, 1), (13, 2)):
            clock.ahead = timedelta(hours=hours)
            with suppress(StaleNotice):
                channel.read_notice(arrived.headers, arrived.body)
            assert len(fetched) == calls
        # The last fetching failed, because our clock was wrong: what is known stays known.
        clock.ahead = timedelta()
        assert channel.query(wx.movement(start)).outcome is Outcome.SUCCEEDED

    def test_a_renewed_one_is_learned_from_the_first_signature_that_names_it(
        self, wx: WechatDriver, clock: Clock, fetched: list[str]
    ) -> None:
        arrange(wx, certificates=1)
        channel = certified(wx, clock, platform_keys=[])
        start = wx.start_request()
        assert channel.query(wx.movement(start)).outcome is Outcome.NOT_FOUND
        arrange(wx, certificates=2)
        # Forgers name keys too: WeChat Pay is asked once in a minute at most.
        assert channel.query(wx.movement(start)).outcome is Outcome.UNKNOWN
        assert len(fetched) == 1
        clock.ahead = timedelta(seconds=61)
        assert channel.query(wx.movement(start)).outcome is Outcome.NOT_FOUND
        assert len(fetched) == 2

    def test_who_can_not_open_them_knows_none(self, wx: WechatDriver, clock: Clock) -> None:
        arrange(wx, certificates=1)
        channel = certified(wx, clock, platform_keys=[], api_v3_key="x" * 32)
        assert channel.query(wx.movement(wx.start_request())).outcome is Outcome.UNKNOWN

    def test_in_public_key_mode_there_are_none(
        self, wx: WechatDriver, clock: Clock, fetched: list[str]
    ) -> None:
        channel = certified(wx, clock, platform_keys=[])
        assert channel.query(wx.movement(wx.start_request())).outcome is Outcome.UNKNOWN
        assert wx.channel.query(wx.movement(wx.start_request())).outcome is Outcome.NOT_FOUND
        assert len(fetched) == 1


class TestSwitch:
    def test_while_it_lasts_both_are_believed(self, wx: WechatDriver, clock: Clock) -> None:
        channel = certified(wx, clock)
        start = wx.start_request()
        for share in (0, 50, 100):
            arrange(wx, certificates=1, share=share)
            assert {channel.query(wx.movement(start)).outcome for _ in range(10)} == {Outcome.NOT_FOUND}
        # the old key alone does not see what the new one signs
        assert wx.channel.query(wx.movement(start)).outcome is Outcome.UNKNOWN

    def test_notifications_of_either_key(self, wx: WechatDriver, clock: Clock) -> None:
        channel = certified(wx, clock)
        serials = arrange(wx, certificates=1, share=0)
        named = set()
        for share in (0, 100):
            arrange(wx, share=share)
            start = wx.start_request()
            channel.start(start)
            wx.customer_pays(start)

            def told(reference: str = start.reference) -> list[Arrived]:
                return [
                    one for one in wx.receiver.at(wx.notify_path) if self.reads(channel, one) == reference
                ]

            named.add(eventually(told)[0].headers["wechatpay-serial"])
        assert named == set(serials)

    def reads(self, channel: WechatChannel, arrived: Arrived) -> str:
        return channel.read_notice(arrived.headers, arrived.body).reference

    def test_our_own_key_is_changed_by_settings(self, wx: WechatDriver) -> None:
        start, _ = wx.paid()
        old, wx.key = wx.channel, new_key()
        wx.channel = wx.build()
        assert old.query(wx.movement(start)).outcome is Outcome.UNKNOWN
        assert wx.channel.query(wx.movement(start)).outcome is Outcome.SUCCEEDED


class TestProbes:
    def test_a_wrong_signature_made_on_purpose_is_refused_and_then_comes_the_right_one(
        self, wx: WechatDriver
    ) -> None:
        arrange(wx, bad_notices=1)
        start = wx.start_request()
        wx.channel.start(start)
        wx.customer_pays(start)
        probe = eventually(lambda: wx.receiver.at(wx.notify_path))[0]
        assert probe.headers["wechatpay-signature"].startswith("WECHATPAY/SIGNTEST/")
        with pytest.raises(InvalidSignature):
            wx.channel.read_notice(probe.headers, probe.body)
        payment = wx.sandbox.payments(start.reference)[0]["id"]
        for delivery in wx.sandbox.deliveries(payment):
            wx.sandbox.ask("POST", f"/control/deliveries/{delivery['id']}/resend")
        genuine = eventually(lambda: wx.receiver.at(wx.notify_path)[1:])[0]
        assert self.read(wx, genuine).reference == start.reference

    def read(self, wx: WechatDriver, arrived: Arrived) -> Notice:
        return wx.channel.read_notice(arrived.headers, arrived.body)

    def test_an_answer_too(self, wx: WechatDriver) -> None:
        start, _ = wx.paid()
        arrange(wx, bad_answers=1)
        assert wx.channel.query(wx.movement(start)).outcome is Outcome.UNKNOWN
        assert wx.channel.query(wx.movement(start)).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(("seconds", "fresh"), [(-310, False), (-290, True), (290, True), (310, False)])
def test_a_clock_may_be_wrong_by_five_minutes(wx: WechatDriver, seconds: int, fresh: bool) -> None:
    start, _ = wx.paid()
    channel = from_settings(wx.settings(clock=lambda: datetime.now(UTC) + timedelta(seconds=seconds)))
    outcome = channel.query(wx.movement(start)).outcome
    assert outcome is (Outcome.SUCCEEDED if fresh else Outcome.UNKNOWN)
    arrived = eventually(lambda: payment_notices(wx, start))[0]
    if fresh:
        assert channel.read_notice(arrived.headers, arrived.body).reference == start.reference
        return
    with pytest.raises(StaleNotice):
        channel.read_notice(arrived.headers, arrived.body)
