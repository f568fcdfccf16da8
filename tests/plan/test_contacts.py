"""The address book: which files are read, and what VIPs and blocked callers get."""

from pathlib import Path

import pytest

from app.plan.contacts import Contact, ContactsError, contact_of, read_contacts
from app.plan.load import PlanError, load_plan
from app.plan.model import Plan
from app.plan.next import start
from app.plan.snapshot import Snapshot
from tests.plan.support import MONDAY_TEN, in_short, inbound, outbound, problems_of

BOOK = """number,name,vip,blocked
+14155550123,Ada Lovelace,yes,
"+1 415 555 0166","Unwanted, Ltd.",no,YES
sip:web1@phone.plivo.com,Front,1,0

"""
PLAN = """
contacts = "contacts.csv"
[routes.vip]
callers = "vip"
steps = { boss = { ring = ["+14155550111"] } }
[routes.all]
steps = { desk = { ring = ["+14155550112"] } }
[routes.shop]
called = ["+14155550101"]
blocked = { callers = ["anonymous"], ending = "busy" }
steps = { desk = { ring = ["+14155550112"] } }
"""


def load(folder: Path) -> tuple[Plan, Snapshot]:
    contacts = read(folder, BOOK)
    (folder / "plan.toml").write_text(PLAN)
    return load_plan(folder / "plan.toml"), Snapshot(now=MONDAY_TEN, contacts=contacts)


def read(folder: Path, content: str | bytes) -> dict[str, Contact]:
    path = folder / "contacts.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return dict(read_contacts(path))


@pytest.mark.parametrize("change", [str, lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n")])
def test_a_book_is_read_as_spreadsheets_write_it(tmp_path: Path, change: type[str]) -> None:
    assert read(tmp_path, change(BOOK)) == {
        "+14155550123": Contact("Ada Lovelace", is_vip=True),
        "+14155550166": Contact("Unwanted, Ltd.", is_blocked=True),
        "sip:web1@phone.plivo.com": Contact("Front", is_vip=True),
    }


def test_columns_may_be_missing_or_in_another_order_and_semicolons_part_them(tmp_path: Path) -> None:
    assert read(tmp_path, "Name;Number\nAda\u0007;+14155550123\n") == {"+14155550123": Contact("Ada")}


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        ("", ["contacts.csv line 1: write the names of the columns: number, name, vip, blocked"]),
        ("name,vip\n", ["contacts.csv line 1: write the names of the columns: number, name, vip, blocked"]),
        ("number,number\n", ["contacts.csv line 1: write the names of the columns: number, name, vip, blocked"]),
        ("number,colour\n", ["contacts.csv line 1: write the names of the columns: number, name, vip, blocked"]),
        (
            "number,vip\n+14155550123,maybe\n+14155550124,yes,x\n",
            [
                f"contacts.csv line {line}: write yes or no for vip and blocked, and a text with a comma in double "
                "quotes"
                for line in (2, 3)
            ],
        ),
        (
            "number\n+14155550123\n+1 (415) 555-0123\n",
            ["contacts.csv line 3: +14155550123 stands in the file twice; remove one"],
        ),
        (
            'number,name\n+14155550123,"Ada\n+14155550124,Bob\n',
            ["contacts.csv line 3: unexpected end of data; look at its quotation marks"],
        ),
        (
            f"number,name\n+14155550123,{'x' * 200_000}\n",
            ["contacts.csv line 2: field larger than field limit (131072); look at its quotation marks"],
        ),
        (
            'number,name\n+14155550123,"Ada\nLovelace"\nnobody,Bob\n',
            [
                "contacts.csv line 4: the number is 'nobody'; write a number with + and its country code such as "
                "+14155550100, or a SIP user such as sip:alice@phone.plivo.com"
            ],
        ),
        ("number\n" + "+14155550123\n" * 20_001, ["contacts.csv has 20001 lines; write at most 20000"]),
        (
            b"number\n\xff\xfe",
            [
                "contacts.csv cannot be read: 'utf-8' codec can't decode byte 0xff in position 7: invalid start byte; "
                "save it as UTF-8 beside the plan"
            ],
        ),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, content: str | bytes, problems: list[str]) -> None:
    with pytest.raises(ContactsError) as refused:
        read(tmp_path, content)

    assert refused.value.problems == problems


def test_a_name_may_hold_any_letter_and_a_line_break(tmp_path: Path) -> None:
    found = read(tmp_path, 'number,name\n+14155550123,"Ada\nLovelace"\n+14155550124,A\u2028B\x85C\n')

    assert [contact.name for contact in found.values()] == ["Ada Lovelace", "A B C"]


def test_a_plan_with_a_broken_book_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text('contacts = "contacts.csv"\nroutes.main.ending = "busy"')
    (tmp_path / "contacts.csv").write_text("number\n0123\n")

    with pytest.raises(PlanError) as refused:
        load_plan(tmp_path / "plan.toml")

    [problem] = refused.value.problems
    assert problem.startswith("plan.toml: contacts.csv line 2: the number is '0123'; write a number with + and its")


@pytest.mark.parametrize(
    ("caller", "called", "gets"),
    [
        ("14155550123", "+14155550100", "boss: +14155550111"),
        ("sip:+14155550123@carrier.example", "+14155550100", "boss: +14155550111"),
        ("14155550124", "+14155550100", "desk: +14155550112"),
        ("14155550166", "+14155550100", "rejected"),
        ("0014155550166", "+14155550101", "busy"),
        ("14155550123", "+14155550101", "desk: +14155550112"),
        ("vip", "+14155550100", "desk: +14155550112"),
        ("anonymous", "+14155550100", "desk: +14155550112"),
        (None, "+14155550100", "desk: +14155550112"),
    ],
)
def test_vips_take_their_route_and_blocked_contacts_none(
    tmp_path: Path, caller: str | None, called: str, gets: str
) -> None:
    plan, known = load(tmp_path)

    assert in_short(start(plan, inbound(called, caller), known)) == gets


def test_the_book_is_for_people_who_call_us(tmp_path: Path) -> None:
    plan, known = load(tmp_path)

    assert in_short(start(plan, outbound("+14155550166", "+14155550100"), known)) == "desk: +14155550112"


def test_a_stranger_is_no_contact() -> None:
    assert contact_of({}, "+14155550123") == contact_of({"+14155550100": Contact("X")}, "+14155550123") == Contact()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            '[routes.main]\ncallers = "vip"\nending = "busy"',
            'plan.toml [routes.main]: callers is "vip", and there is no address book; write contacts = "contacts.csv" '
            "at the top",
        ),
        (
            'contacts = "../contacts.csv"\n[routes.main]\nending = "busy"',
            "plan.toml: contacts is '../contacts.csv'; write the name of a .csv file",
        ),
        (
            'contacts = "c.csv"\n[routes.main]\ncallers = ["vip"]\nmay_dial = ["+44"]\nsteps.out.ring = ["dialled"]',
            "plan.toml [routes.main.steps.out]: ring has dialled, which needs callers and may_dial in its route; write "
            "which SIP endpoints of yours may dial which prefixes",
        ),
        (
            'contacts = "c.csv"\n[routes.a]\ncallers = "vip"\nending = "busy"\n'
            '[routes.b]\ncallers = "vip"\nending = "busy"',
            "plan.toml [routes.b]: called has *, which route a serves; remove one of them",
        ),
    ],
)
def test_what_does_not_fit_an_address_book_is_refused(text: str, problem: str) -> None:
    assert problem in problems_of(text)
