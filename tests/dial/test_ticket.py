"""A ticket comes back as it went out, or not at all."""

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.dial.ticket import Ticket

SECRET = "a secret of the test"
TICKET = Ticket(dial_id="0b9d7f", route="office", step="desk", round=2, started_at=1_763_900_000)


@given(
    ticket=st.builds(
        Ticket,
        dial_id=st.text(max_size=30),
        route=st.text(max_size=30),
        step=st.text(max_size=30),
        round=st.integers(0, 100),
        started_at=st.integers(0, 4_000_000_000),
    )
)
def test_a_ticket_survives_the_journey_through_a_url(ticket: Ticket) -> None:
    url = urlencode(ticket.to_query(SECRET))

    assert Ticket.from_query(dict(parse_qsl(url, keep_blank_values=True)), SECRET) == ticket


@pytest.mark.parametrize("key", ["dial", "route", "step", "round", "since", "seal"])
@given(value=st.text(alphabet=st.characters(), max_size=20))
def test_an_altered_value_is_no_ticket(key: str, value: str) -> None:
    query = TICKET.to_query(SECRET)
    if value != query[key]:
        assert Ticket.from_query({**query, key: value}, SECRET) is None


@pytest.mark.parametrize("key", ["dial", "route", "step", "round", "since", "seal"])
def test_a_missing_value_is_no_ticket(key: str) -> None:
    query = TICKET.to_query(SECRET)
    del query[key]

    assert Ticket.from_query(query, SECRET) is None


def test_letters_cannot_move_from_one_value_to_the_next() -> None:
    query = TICKET.to_query(SECRET)

    assert Ticket.from_query({**query, "route": "officed", "step": "esk"}, SECRET) is None


def test_another_secret_is_no_ticket() -> None:
    assert Ticket.from_query(TICKET.to_query(SECRET), "another secret") is None


def test_an_empty_query_is_no_ticket() -> None:
    assert Ticket.from_query({}, SECRET) is None


def test_the_dial_travels_under_its_public_name_and_no_key_can_meet_plivos() -> None:
    query = TICKET.to_query(SECRET)

    assert query["dial"] == "0b9d7f"
    assert all(key.islower() for key in query)
    assert len(urlencode(query)) < 120


def test_plivos_own_parameters_beside_the_ticket_do_no_harm() -> None:
    query = {"CallUUID": "38cb006a", "From": "14155550100"} | TICKET.to_query(SECRET) | {"Digits": "1"}

    assert Ticket.from_query(query, SECRET) == TICKET


def test_the_same_ticket_is_sealed_alike_every_time() -> None:
    assert TICKET.to_query(SECRET) == TICKET.to_query(SECRET)
