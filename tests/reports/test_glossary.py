"""The glossary names every outcome, status, code and cause that the records can hold, and pages lead to it."""

import re

import pytest

from app.reports.pages import glossary
from app.voice.hangup_causes import CODES, NAMES
from app.voice.outcome import DOCUMENTED_STATUSES, CallOutcome, Facts, Outcome, outcome_of
from tests.reports.caller import Caller


def test_every_word_and_code_has_a_meaning_and_an_advice() -> None:
    terms = [*glossary.outcomes(), *glossary.codes(), *glossary.causes()]

    assert {term.outcome for term in glossary.outcomes()} == set(CallOutcome)
    assert [term.id for term in glossary.codes()] == [f"code-{code}" for code in sorted(CODES)]
    assert {term.name for term in glossary.causes()} == set(NAMES)
    assert [term.id for term in terms if not (term.meaning.endswith(".") and term.advice.endswith("."))] == []


@pytest.mark.parametrize("rang", [True, False])
@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("status", sorted(DOCUMENTED_STATUSES))
def test_a_status_becomes_what_the_glossary_says(status: str, named: bool, rang: bool) -> None:
    conditions = {
        "in every case": True,
        "where it rang": rang,
        "where nothing rang": not rang,
        "where the report names the callee's leg": named,
        "where it names none: nobody talked": not named,
    }

    [said] = [term.outcome for term in glossary.statuses() if term.name == status and conditions[term.meaning]]

    assert Outcome(said or "") == outcome_of(Facts(reported=True, status=status, rang=rang, b_leg=named))


def test_the_page_holds_every_term_and_every_link_leads_to_one(lite_caller: Caller) -> None:
    lite_caller.log_in()

    page = lite_caller.client.get("/docs/glossary").text

    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert {term.id for term in [*glossary.outcomes(), *glossary.statuses(), *glossary.codes()]} <= set(ids)
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_a_call_leads_to_the_meaning_of_its_code_and_status(lite_caller: Caller) -> None:
    lite_caller.log_in()
    call_uuid, _ = lite_caller.ended_call("busy", DialHangupCause="USER_BUSY")

    page = lite_caller.client.get(f"/calls/{call_uuid}").text
    terms = lite_caller.client.get("/docs/glossary").text

    targets = re.findall(r'href="/docs/glossary#([^"]+)"', page)
    assert {"status-busy", "cause-USER_BUSY"} <= set(targets)
    assert [target for target in targets if f'id="{target}"' not in terms] == []
