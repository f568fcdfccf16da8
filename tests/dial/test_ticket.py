"""A ticket comes back as it went out, or not at all."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.dial.ticket import Ticket, dial_of_notice, notice_query

SECRET = "a secret of the test"
TICKET = Ticket(dial_id="0b9d7f", route="office", step="desk", round=2, started_at=1_763_900_000)


def decoded(ticket: Ticket) -> dict[str, str]:
    """Return a ticket's query as its reader decodes it."""
    return dict(parse_qsl(ticket.to_query(SECRET), keep_blank_values=True, strict_parsing=True))


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
    assert Ticket.from_query(decoded(ticket), SECRET) == ticket


@pytest.mark.parametrize("key", ["dial", "route", "step", "round", "since", "seal"])
@given(value=st.text(alphabet=st.characters(), max_size=20))
def test_an_altered_value_is_no_ticket(key: str, value: str) -> None:
    query = decoded(TICKET)
    if value != query[key]:
        assert Ticket.from_query({**query, key: value}, SECRET) is None


@pytest.mark.parametrize("key", ["dial", "route", "step", "round", "since", "seal"])
def test_a_missing_value_is_no_ticket(key: str) -> None:
    query = decoded(TICKET)
    del query[key]

    assert Ticket.from_query(query, SECRET) is None


def test_letters_cannot_move_from_one_value_to_the_next() -> None:
    query = decoded(TICKET)

    assert Ticket.from_query({**query, "route": "officed", "step": "esk"}, SECRET) is None


def test_another_secret_is_no_ticket() -> None:
    assert Ticket.from_query(decoded(TICKET), "another secret") is None


def test_an_empty_query_is_no_ticket() -> None:
    assert Ticket.from_query({}, SECRET) is None


def test_the_dial_has_its_public_name_and_no_key_can_be_plivos() -> None:
    query = decoded(TICKET)

    assert query["dial"] == "0b9d7f"
    assert all(key.islower() for key in query)
    assert len(TICKET.to_query(SECRET)) < 120


def test_plivos_own_parameters_beside_the_ticket_do_no_harm() -> None:
    query = {"CallUUID": "38cb006a", "From": "14155550100"} | decoded(TICKET) | {"Digits": "1"}

    assert Ticket.from_query(query, SECRET) == TICKET


def test_a_ticket_gets_the_same_seal_every_time() -> None:
    assert TICKET.to_query(SECRET) == TICKET.to_query(SECRET)


def test_the_dial_of_a_notice_comes_back_as_it_went_out() -> None:
    query = dict(parse_qsl(notice_query("0b9d7f", SECRET)))

    assert query["dial"] == "0b9d7f"
    assert dial_of_notice(query, SECRET) == "0b9d7f"


def test_a_ticket_is_no_notice_and_a_notice_no_ticket() -> None:
    assert dial_of_notice(decoded(TICKET), SECRET) is None
    assert Ticket.from_query(dict(parse_qsl(notice_query("0b9d7f", SECRET))), SECRET) is None


@pytest.mark.parametrize("change", [{"dial": "another"}, {"seal": "x"}, {"dial": ""}, {"seal": "é"}])
def test_an_altered_notice_names_no_dial(change: dict[str, str]) -> None:
    query = dict(parse_qsl(notice_query("0b9d7f", SECRET)))

    assert dial_of_notice(query | change, SECRET) is None


def test_a_ticket_carries_what_the_call_remembers_and_without_it_stays_as_it_was() -> None:
    plain = Ticket("d", "main", "desk", 2, 1_700_000_000)
    full = plain._replace(turn="aabbccdd~00112233-44556677.8899aabb~raabbccdd")
    query = dict(parse_qsl(full.to_query(SECRET)))

    assert "turn" not in plain.to_query(SECRET)
    assert Ticket.from_query(query, SECRET) == full
    assert Ticket.from_query({**query, "turn": "aabbccdd~~"}, SECRET) is None
    assert Ticket.from_query({name: value for name, value in query.items() if name != "turn"}, SECRET) is None
