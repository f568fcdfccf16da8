"""Who must be called back: right in every situation, in whatever order the reports come."""

import random
from collections.abc import Callable, Sequence
from datetime import UTC
from pathlib import Path

import pytest

from app.records.maintenance.check import check
from app.records.maintenance.prune import erase, prune
from app.records.model.ids import now
from app.records.model.receipt import Receipt
from app.records.model.state import Placement
from app.records.spool.spool import Spool
from app.records.store import migrate
from app.records.store.store import Store
from app.records.writing.followup_rows import Touch, lock_name, update_followups
from app.records.writing.followups import DEFAULT_RULES, Action, Rules
from app.records.writing.journal import Journal
from app.records.writing.mark_followup import mark_followup
from app.voice.events import Kind
from tests.records.histories import HOUR, REACHES, Story, Week, make_week
from tests.records.reading import rows, scalar
from tests.records.scenarios import CALLER, START, Call, receipt

DAY = 24 * HOUR


def quiet(_count: int) -> None:
    """Show no progress."""


def followups(store: Store) -> list[tuple[object, ...]]:
    """Return caller, route, state and number of calls of each follow-up."""
    return rows(store, "SELECT caller, route, state, call_count FROM followups ORDER BY opened_at, route")


def states_of_calls(store: Store) -> dict[str, str]:
    """Return the state of the follow-up of each call that has one."""
    joined = "followup_calls AS o JOIN followups AS f ON f.followup_key = o.followup_key"
    found = rows(store, f"SELECT c.call_uuid, f.state FROM calls AS c JOIN ({joined}) ON o.call_key = c.call_key")
    return {str(uuid): str(state) for uuid, state in found}


def keep(journal: Journal, *stories: Story) -> None:
    for story in stories:
        for one in story.receipts():
            journal.append(one)


def tell(caller: str, *endings: str) -> list[Story]:
    """Return calls with these endings, an hour apart."""
    return [Story(caller, START + number * HOUR, ending) for number, ending in enumerate(endings)]


SITUATIONS = {
    "nobody answers": (["missed"], ["open"]),
    "busy": (["busy"], ["open"]),
    "a message": (["message"], ["open"]),
    "waits, then gives up": (["gave_up_late"], ["open"]),
    "gives up at once": (["gave_up_soon"], []),
    "closed": (["closed"], []),
    "blocked": (["blocked"], []),
    "answered": (["answered"], []),
    "further calls add to it": (["missed", "busy", "gave_up_soon", "message"], ["open"]),
    "calls again and talks": (["missed", "answered"], ["reached"]),
    "had talked before": (["answered", "missed"], ["open"]),
    "misses again after a talk": (["missed", "answered", "missed"], ["reached", "open"]),
    **{f"reached by {reach}": (["missed", "missed", reach], ["reached"]) for reach in REACHES},
}


def test_each_situation_opens_and_closes_the_right_followups(store: Store, journal: Journal) -> None:
    stories = {name: tell(f"+1415555{1000 + place}", *SITUATIONS[name][0]) for place, name in enumerate(SITUATIONS)}

    for of_caller in stories.values():
        keep(journal, *of_caller)

    found = {name: [row[2] for row in followups(store) if row[0] == stories[name][0].caller] for name in stories}
    assert found == {name: expected for name, (_, expected) in SITUATIONS.items()}
    assert states_of_calls(store) == {
        uuid: state for of_caller in stories.values() for uuid, state in Week(of_caller).right().items()
    }
    assert check(store, zone=UTC, repair=False, step=quiet).followups == 0


def test_each_route_has_its_own_and_one_talk_closes_both(store: Store, journal: Journal) -> None:
    keep(journal, Story(CALLER, START, "missed"), Story(CALLER, START + 1000, "missed", "night"))
    assert followups(store) == [(CALLER, "main", "open", 1), (CALLER, "night", "open", 1)]

    keep(journal, Story(CALLER, START + HOUR, "callback"))

    assert [row[2] for row in followups(store)] == ["reached", "reached"]


PLACED = Placement("dial-of-an-agent", ("+14155550111",), "main", "first", 1)


def closings(store: Store) -> list[tuple[object, ...]]:
    """Return when each follow-up was closed, after the start of the first call, and by which call."""
    return rows(store, f"SELECT state, closed_at - {START}, closing_call_uuid FROM followups")


def test_a_followup_closes_while_the_call_that_reaches_the_caller_is_under_way(store: Store) -> None:
    journal = Journal(store, announce=True)
    missed, talk = tell(CALLER, "missed", "talked")
    keep(journal, missed)
    answer, picked_up, connected, *ends = talk.receipts()

    for one in (answer, picked_up):
        journal.append(one)
    assert closings(store) == [("open", None, None)]  # Who only picked up may still decline with a key.
    journal.append(connected)
    reached = [("reached", HOUR + 5000, talk.uuid)]
    assert closings(store) == reached
    assert scalar(store, f"SELECT outcome FROM calls WHERE call_uuid = '{talk.uuid}'") == "in_progress"
    assert check(store, zone=UTC, repair=False, step=quiet).followups == 0

    journal.append_all(ends)
    assert closings(store) == reached
    assert scalar(store, "SELECT count(*) FROM outbox WHERE type = 'followup.closed'") == 1
    journal.close()


def test_our_call_through_the_api_closes_it_once_the_caller_picks_up(store: Store, journal: Journal) -> None:
    missed, back = tell(CALLER, "missed", "callback")
    keep(journal, missed)
    ring, hangup = back.receipts()
    way = {"From": "+14155550199", "To": CALLER, "Direction": "outbound", "CallUUID": back.uuid}

    journal.append(ring)
    assert closings(store) == [("open", None, None)]
    journal.append(receipt(Kind.ANSWER, None, {**way, "CallStatus": "in-progress"}, back.at + 5000))
    assert closings(store) == [("reached", HOUR, back.uuid)]
    journal.append(hangup)

    assert [row[0] for row in closings(store)] == ["reached"]
    assert check(store, zone=UTC, repair=False, step=quiet).followups == 0


def test_a_talk_that_turns_out_to_be_none_opens_it_again(store: Store, journal: Journal) -> None:
    missed, back = tell(CALLER, "missed", "callback")
    keep(journal, missed)
    way = {"From": "+14155550199", "To": CALLER, "Direction": "outbound", "CallUUID": back.uuid}
    journal.append(receipt(Kind.ANSWER, None, {**way, "CallStatus": "in-progress"}, back.at))
    assert [row[0] for row in closings(store)] == ["reached"]

    # The document then rings somebody else: nobody has talked with the caller yet.
    journal.append(receipt(Kind.RING, None, {**way, "CallStatus": "in-progress"}, back.at + 1, placement=PLACED))

    assert [row[0] for row in closings(store)] == ["open"]


def test_our_call_that_nobody_answers_neither_opens_nor_closes_one(store: Store, journal: Journal) -> None:
    missed, back = tell(CALLER, "missed", "callback")
    way = {"From": "+14155550199", "To": CALLER, "Direction": "outbound"}
    keep(journal, missed)
    unanswered = Call(uuid=back.uuid, at=back.at).hangup(3000, "Carrier", "NO_ANSWER", CallStatus="no-answer", **way)
    journal.append(unanswered.receipts[0])

    assert followups(store) == [(CALLER, "main", "open", 1)]


def test_an_agent_who_dials_a_busy_number_needs_no_call_back(store: Store, journal: Journal) -> None:
    call = Call().answer(CALLER)
    way = {"From": "sip:agent@phone.plivo.com", "To": CALLER}
    call.action("busy", "USER_BUSY", rang=True, **way).hangup(3010, "Plivo", **way)
    call.receipts.pop(0)
    first = Story(CALLER, call.at - 5000, "softphone", uuid=call.uuid).receipts()[0]
    dial_id = f"dial-{call.uuid}"

    for one in (first, *(each._replace(dial_id=each.dial_id and dial_id) for each in call.receipts)):
        journal.append(one)

    assert scalar(store, "SELECT outcome FROM calls") == "busy"
    assert followups(store) == []


@pytest.mark.parametrize("withheld", ["number withheld", "6862379484", "16862379484"])
def test_a_number_that_is_withheld_in_other_words_is_nobody_to_call_back(
    store: Store, journal: Journal, withheld: str
) -> None:
    keep(journal, Story(withheld, START, "missed"), Story(CALLER, START, "missed"))

    assert [row[0] for row in followups(store)] == [f"+{CALLER.lstrip('+')}"]


def anonymous(ending: str, at: int = START) -> Story:
    return Story("anonymous", at, ending)


def test_anonymous_callers_are_listed_by_their_messages_alone(store: Store, journal: Journal) -> None:
    first, second = anonymous("message"), anonymous("message", START + HOUR)
    keep(journal, anonymous("missed", START + 1), first, second, anonymous("answered", START + DAY))

    assert [(row[0], row[2]) for row in followups(store)] == [
        (f"anonymous:{first.uuid}", "open"),
        (f"anonymous:{second.uuid}", "open"),
    ]
    assert check(store, zone=UTC, repair=False, step=quiet).followups == 0


def test_a_blocked_caller_is_not_listed_even_with_a_message(store: Store, journal: Journal) -> None:
    story = Story(CALLER, START, "message")
    answer, *rest = story.receipts()
    assert answer.placement

    journal.append_all([answer._replace(placement=answer.placement._replace(turned_away="blocked")), *rest])

    assert scalar(store, "SELECT outcome FROM calls") == "message_left"
    assert followups(store) == []


def test_the_settings_decide_about_impatient_callers_and_closed_hours(store: Store) -> None:
    journal = Journal(store, rules=Rules(patience=1, is_closed_counted=True))
    keep(journal, *tell(CALLER, "gave_up_soon", "closed"))
    journal.close()

    assert followups(store) == [(CALLER, "main", "open", 2)]
    assert check(store, zone=UTC, repair=False, step=quiet, rules=DEFAULT_RULES).followups == 1


def test_a_late_report_closes_and_a_late_call_opens_it_rightly(store: Store, journal: Journal) -> None:
    first, talk, second = tell(CALLER, "missed", "answered", "busy")

    keep(journal, second, first)
    assert followups(store) == [(CALLER, "main", "open", 2)]
    keep(journal, talk)

    assert followups(store) == [(CALLER, "main", "reached", 1), (CALLER, "main", "open", 1)]


def test_duplicates_change_nothing(store: Store, journal: Journal) -> None:
    stories = tell(CALLER, "missed", "busy", "callback")
    keep(journal, *stories)
    before = rows(store, "SELECT * FROM followups"), rows(store, "SELECT * FROM followup_calls")

    keep(journal, *stories, *stories)

    assert (rows(store, "SELECT * FROM followups"), rows(store, "SELECT * FROM followup_calls")) == before


def key_of(store: Store, story: Story) -> int:
    return int(scalar(store, f"SELECT call_key FROM calls WHERE call_uuid = '{story.uuid}'"))


def test_somebody_takes_it_notes_something_and_marks_it_done(store: Store, journal: Journal) -> None:
    [story] = tell(CALLER, "missed")
    keep(journal, story)
    key = key_of(store, story)

    mark_followup(store, key, Action.TAKE, actor="anna", rules=DEFAULT_RULES)
    mark_followup(store, key, Action.NOTE, actor="anna", note=" after lunch ", rules=DEFAULT_RULES)
    done = mark_followup(store, key, Action.DONE, actor="ben", rules=DEFAULT_RULES)
    again = mark_followup(store, key, Action.DONE, actor="carl", rules=DEFAULT_RULES)

    assert done
    assert (done.state, done.taken_by, done.note, done.closed_by) == ("done", "anna", "after lunch", "ben")
    assert again == done
    kept = rows(store, "SELECT actor, action, note FROM followup_marks ORDER BY at")
    assert kept == [("anna", "take", None), ("anna", "note", "after lunch"), ("ben", "done", None)]
    assert check(store, zone=UTC, repair=False, step=quiet).followups == 0


def test_a_slip_is_undone_and_a_next_call_opens_another(store: Store, journal: Journal) -> None:
    [story] = tell(CALLER, "missed")
    keep(journal, story)
    key = key_of(store, story)
    mark_followup(store, key, Action.DONE, actor="anna", rules=DEFAULT_RULES)
    opened = mark_followup(store, key, Action.REOPEN, actor="anna", rules=DEFAULT_RULES)
    assert opened
    assert (opened.state, opened.closed_at) == ("open", None)
    closed = mark_followup(store, key, Action.DONE, actor="anna", rules=DEFAULT_RULES)
    assert closed
    assert closed.closed_at

    keep(journal, Story(CALLER, closed.closed_at + 1, "missed"))

    assert [row[2:] for row in followups(store)] == [("done", 1), ("open", 1)]
    reopened = mark_followup(store, key, Action.REOPEN, actor="anna", rules=DEFAULT_RULES)
    assert reopened == closed


def test_a_call_without_a_followup_cannot_be_taken(store: Store, journal: Journal) -> None:
    [story] = tell(CALLER, "answered")
    keep(journal, story)

    assert mark_followup(store, key_of(store, story), Action.TAKE, actor="anna", rules=DEFAULT_RULES) is None


def test_check_repairs_what_differs(store: Store, journal: Journal) -> None:
    keep(journal, *tell(CALLER, "missed", "busy"), *tell("+14155550177", "missed", "answered"))
    before = rows(store, "SELECT * FROM followups ORDER BY 1"), rows(store, "SELECT * FROM followup_calls ORDER BY 1")
    with store.engine.connect() as connection:
        connection.exec_driver_sql("UPDATE followups SET state = 'done' WHERE state = 'open'")
        first = connection.exec_driver_sql("SELECT min(followup_key) FROM followups").scalar_one()
        connection.exec_driver_sql(f"DELETE FROM followup_calls WHERE followup_key = {first}")
        connection.exec_driver_sql("DELETE FROM followups WHERE state = 'reached'")

    assert check(store, zone=UTC, repair=False, step=quiet).followups == 2
    assert check(store, zone=UTC, repair=True, step=quiet).followups == 2

    assert check(store, zone=UTC, repair=False, step=quiet).followups == 0
    after = rows(store, "SELECT * FROM followups ORDER BY 1"), rows(store, "SELECT * FROM followup_calls ORDER BY 1")
    assert after == before


def test_calls_from_before_the_upgrade_need_no_call_back(store: Store, journal: Journal) -> None:
    keep(journal, *tell(CALLER, "missed"))
    migrate.downgrade(store, "0013")
    migrate.upgrade(store)

    keep(journal, *tell(CALLER, "missed"))

    assert followups(store) == []
    assert check(store, zone=UTC, repair=False, step=quiet).followups == 0


def test_of_a_number_with_very_many_calls_only_the_newest_are_read(store: Store, journal: Journal) -> None:
    stories = [Story(CALLER, START + number * 60_000, "busy") for number in range(450)]
    for number in range(0, 450, 30):
        journal.append_all([one for story in stories[number : number + 30] for one in story.receipts()])
    assert followups(store) == [(CALLER, "main", "open", 450)]

    keep(journal, Story(CALLER, START + DAY, "callback"), Story(CALLER, START + 2 * DAY, "missed"))

    assert followups(store) == [(CALLER, "main", "reached", 450), (CALLER, "main", "open", 1)]
    assert check(store, zone=UTC, repair=False, step=quiet).followups == 0


def test_old_calls_and_erased_people_take_their_followups_along(store: Store, journal: Journal, tmp_path: Path) -> None:
    first = now() - 3 * DAY  # Each hour since the first call is counted before it is pruned.
    late = Story(CALLER, first + DAY, "busy")
    keep(journal, Story(CALLER, first, "missed"), Story(CALLER, first + HOUR, "missed"))
    keep(journal, Story("+14155550177", first + DAY, "missed"), late)
    mark_followup(store, key_of(store, late), Action.NOTE, actor="anna", note="not +14155550177", rules=DEFAULT_RULES)

    prune(store, before=first + HOUR, step=quiet)
    assert followups(store) == [(CALLER, "main", "open", 2), ("+14155550177", "main", "open", 1)]
    spool = Spool(tmp_path / "spool", zone=UTC)
    assert erase(store, spool, "+14155550177", quiet).left == 0
    assert followups(store) == [(CALLER, "main", "open", 2)]
    assert rows(store, "SELECT note FROM followup_marks") == [(None,)]
    assert check(store, zone=UTC, repair=False, step=quiet).followups == 0
    assert erase(store, spool, CALLER, quiet).left == 0
    spool.close()

    for table in ("followups", "followup_calls", "followup_marks"):
        assert scalar(store, f"SELECT count(*) FROM {table}") == 0


def mark_at(store: Store, caller: str, at: int, route: str) -> None:
    """Record that somebody marked a follow-up done at a time of the past."""
    writer, sql = store.connect_writer(), store.statements
    writer.begin([lock_name(caller)])
    writer.cursor.execute(sql.add_mark, (caller, at, route, Action.DONE.value, "anna", None))
    update_followups(writer.cursor, sql, {caller: Touch()}, DEFAULT_RULES)
    writer.commit()
    writer.close()


def play(journal: Journal, store: Store, weeks: Sequence[Week], chance: random.Random) -> dict[str, str]:
    """Report weeks in any order, with copies; return what is right about each call that needs a follow-up."""
    steps: list[Receipt | tuple[str, int, str]] = []
    for week in weeks:
        reports = [one for story in week.calls for one in story.receipts()]
        steps += [*reports, *chance.choices(reports, k=len(reports) // 4)]
        steps += [(week.calls[0].caller, at, route) for at, route in week.done]
    chance.shuffle(steps)
    batch: list[Receipt] = []
    for step in steps:
        if isinstance(step, Receipt):
            batch.append(step)
        if batch and (not isinstance(step, Receipt) or len(batch) >= chance.randint(1, 64)):
            journal.append_all(batch)
            batch = []
        if not isinstance(step, Receipt):
            mark_at(store, *step)
    if batch:
        journal.append_all(batch)
    return {uuid: state for week in weeks for uuid, state in week.right().items()}


def made_weeks(chance: random.Random, count: int) -> list[Week]:
    weeks = [make_week(chance, f"+1415666{number:04d}") for number in range(count)]
    for week in weeks:
        week.done = [(call.at + HOUR // 2 + 1, call.route) for call in week.calls if chance.random() < 0.1]
    return weeks


@pytest.mark.parametrize("seed", range(3))
def test_random_weeks_in_any_order_have_the_right_followups(store: Store, journal: Journal, seed: int) -> None:
    chance = random.Random(seed)

    expected = play(journal, store, made_weeks(chance, 12), chance)

    assert states_of_calls(store) == expected
    assert check(store, zone=UTC, repair=False, step=quiet).followups == 0


@pytest.mark.parametrize(
    ("endings", "begins_at"),
    [(["missed", "answered"], 3), (["missed", "answered", "busy"], 2), (["missed", "busy"], 0)],
)
def test_calls_are_read_from_the_beginning_of_the_open_followup_alone(
    store: Store, journal: Journal, endings: list[str], begins_at: int
) -> None:
    keep(journal, *tell(CALLER, *endings))
    sql, writer = store.statements, store.connect_writer()
    writer.cursor.execute(sql.followups_of_callers, (sql.many([CALLER]),))
    stored = [sql.followups.read(row) for row in writer.cursor.fetchall()]
    writer.close()

    start = Touch(START + 3 * HOUR).start(stored)

    assert start // HOUR == (START + begins_at * HOUR) // HOUR


def test_each_look_walks_an_index(sqlite_url: str, open_store: Callable[..., Store]) -> None:
    store = open_store(sqlite_url)
    migrate.upgrade(store)
    sql = store.statements

    for query in (sql.past_calls, sql.followups_of_callers, sql.followup_of_call, sql.owners_of_calls):
        steps = [row[3] for row in rows(store, "EXPLAIN QUERY PLAN " + query.replace("?", "'1'"))]
        assert not [step for step in steps if step.startswith("SCAN") and "json_each" not in step and "way" not in step]
    plan = " ".join(row[3] for row in rows(store, "EXPLAIN QUERY PLAN " + sql.past_calls.replace("?", "1")))
    for name in ("from_number", "to_number", "answered_by"):
        assert f"ix_calls_{name}_call_key" in plan
