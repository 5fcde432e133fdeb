"""Where addresses are, and that somebody who is in two countries within an hour is noticed."""

from datetime import timedelta
from typing import Any

import pytest

from risk import places
from risk.facts import DeviceFacts
from tests.risk.own_redis import OwnRedis
from tests.risk.test_histories import NOW, decides, own_redis, pay, rule, whole

__all__ = ["own_redis", "whole"]


def there(address: str) -> DeviceFacts:
    where = places.of_address(address)
    return DeviceFacts(
        identifier="dev_1",
        ip=address,
        ip_country=where.country,
        latitude_e6=where.latitude_e6,
        longitude_e6=where.longitude_e6,
    )


@pytest.mark.django_db(transaction=True)
def test_five_hundred_kilometres_in_an_hour_are_noticed_by_addresses_alone(whole: OwnRedis) -> None:
    decides(rule("too_fast", "signal.geo_speed_kmh > 500.0"))
    assert pay(1, device=there("114.114.114.114")).score == 0
    assert pay(2, device=there("114.114.115.1")).score == 0  # the same country is no journey
    assert [reason.code for reason in pay(3, device=there("8.8.8.8")).reasons] == ["too_fast"]
    assert pay(4, device=there("127.0.0.1")).score == 0
    assert pay(5, device=there("114.114.114.114"), at=NOW + timedelta(days=1)).score == 0


def test_a_public_address_has_a_country_and_its_middle() -> None:
    china = places.of_address("114.114.114.114")
    assert china.country == "CN" and china.latitude_e6 and china.longitude_e6
    assert 30e6 < china.latitude_e6 < 45e6 and 95e6 < china.longitude_e6 < 115e6
    assert places.of_address("2001:4860:4860::8888").country == "US"
    assert places.of_address("::ffff:114.114.114.114") == china
    for nowhere in ("127.0.0.1", "10.1.2.3", "fe80::1", "no address", ""):
        assert places.of_address(nowhere) == places.Whereabouts()


def test_the_operators_files_are_asked_first(settings: Any, tmp_path: Any, monkeypatch: Any) -> None:
    class Reader:
        def get(self, address: Any) -> Any:
            known = {"country": {"iso_code": "SG"}, "location": {"latitude": 1.29, "longitude": 103.85}}
            return known if str(address) == "8.8.8.8" else None

    monkeypatch.setattr(places, "_database", lambda path: Reader())
    listed = tmp_path / "proxies.txt"
    listed.write_text("# from somewhere\n8.8.0.0/16\n\n2001:4860::/32 # more\nnonsense\n")
    settings.PROXY_NETWORKS = str(listed)
    here = places.of_address("8.8.8.8")
    assert (here.country, here.latitude_e6, here.longitude_e6, here.is_proxy) == (
        "SG",
        1_290_000,
        103_850_000,
        True,
    )
    assert places.of_address("1.1.1.1").country == "AU" and not places.of_address("1.1.1.1").is_proxy
    assert places.of_address("2001:4860:4860::8888").is_proxy


def test_files_that_can_not_be_read_are_done_without(settings: Any, tmp_path: Any) -> None:
    broken = tmp_path / "broken.mmdb"
    broken.write_bytes(b"not a database")
    settings.GEO_DATABASE, settings.PROXY_NETWORKS = str(broken), str(tmp_path / "missing")
    assert places.of_address("8.8.8.8").country == "US" and not places.of_address("8.8.8.8").is_proxy
