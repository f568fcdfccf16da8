"""How a request leaves: to which address, and with which signature."""

import ipaddress

import pytest

from app.notify.webhook_sender import signature
from settings.outgoing import connect
from settings.urls import is_public
from tests.notify.conftest import Listen
from tests.support.server import free_port


def test_a_name_is_reached_at_its_second_address_if_the_first_refuses(listen: Listen) -> None:
    port = int(listen().url.rpartition(":")[2])

    with connect(["::1", "127.0.0.1"], port) as connection:  # As many machines resolve localhost.
        assert connection.getpeername() == ("127.0.0.1", port)


def test_a_name_that_no_address_accepts_is_an_os_error() -> None:
    with pytest.raises(ConnectionRefusedError):
        connect(["127.0.0.1", "127.0.0.1"], free_port())


def test_the_signature_is_that_of_standard_webhooks() -> None:
    # The example in the libraries of the specification.
    assert (
        signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
            timestamp=1614265330,
            body=b'{"test": 2432232314}',
        )
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:10.0.0.1",
     "64:ff9b::a00:1", "2002:7f00:1::1", "fec0::1", "3fff::1", "192.88.99.1", "192.0.0.8", "192.0.2.1", "198.18.0.1",
     "203.0.113.1", "100::1", "64:ff9b:1::1", "2001::1", "2001:db8::1", "5f00::1", "::10.0.0.1", "2002:c000:8::1"],
)  # fmt: skip
def test_a_special_address_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"])
def test_an_address_of_the_open_internet_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))
