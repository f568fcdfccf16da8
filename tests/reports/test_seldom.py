"""Filters with few matches in common: each page examines a bounded number of dials, all pages find every match."""

from app.records.reading.filters import DialFilters
from app.records.reading.queries import LOOKED_AT, Page, find_dials
from app.records.reading.read_session import read_session
from benchmarks.fill import fill
from tests.reports.conftest import Caller
from tests.reports.queries import recording_queries

DIALS = 20_000


def pages_of(caller: Caller, filters: DialFilters) -> list[Page]:
    """Return all pages of the dials that match."""
    pages: list[Page] = []
    with read_session(caller.services.store) as connection:
        while not pages or pages[-1].before is not None:
            pages.append(find_dials(connection, filters, limit=500, before=pages[-1].before if pages else None))
    return pages


def test_pages_that_end_early_find_every_match_together(caller: Caller) -> None:
    fill(caller.services.store, dials=DIALS, days=30)
    with read_session(caller.services.store) as connection:
        unfiltered = find_dials(connection, DialFilters(outcome="busy"), limit=DIALS).dials
    expected = [found.dial.dial_key for found in unfiltered if found.dial.route == "office"]

    pages = pages_of(caller, DialFilters(outcome="busy", route="office"))

    assert [found.dial.dial_key for page in pages for found in page.dials] == expected
    assert 0 < len(expected) < 500 < LOOKED_AT < len(unfiltered)
    assert len(pages) > 1  # The first page ended early: each filter alone matches too many dials.


def test_the_most_selective_filter_is_walked(caller: Caller) -> None:
    fill(caller.services.store, dials=DIALS, days=30)

    pages = pages_of(caller, DialFilters(cause="USER_BUSY", status="failed"))

    # More dials are busy than a page may examine; fewer failed.
    assert pages == [Page(dials=[], before=None)]


def test_the_other_filters_are_checked_dial_by_dial(caller: Caller) -> None:
    store = caller.services.store
    fill(store, dials=DIALS, days=30)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE")

    with recording_queries(store.engine) as queries, read_session(store) as connection:
        find_dials(connection, DialFilters(outcome="failed", status="failed", cause="USER_BUSY", route="lab"), limit=50)

    explain = "EXPLAIN QUERY PLAN " if store.is_sqlite else "EXPLAIN "
    with store.engine.connect() as connection:
        sql, parameters = queries[-1]
        plan = [str(row[-1]) for row in connection.exec_driver_sql(explain + sql, parameters)]
    # A bitmap covers every row of a value, whatever its age.
    assert not [line for line in plan if "Bitmap" in line or "MULTI-INDEX" in line], plan
    assert len([line for line in plan if "ix_dials" in line]) == 1, plan  # Only the most selective filter's.
