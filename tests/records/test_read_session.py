"""Reading breaks off in many ways; which of them it was is told."""

from collections.abc import Callable

import pytest

from app.records.reading.read_session import StoreUnreadable, read_session
from app.records.store import migrate
from app.records.store.store import Store


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SET LOCAL statement_timeout = 1; SELECT pg_sleep(60)", "the store did not answer in time; try again soon"),
        ("SELECT pg_terminate_backend(pg_backend_pid())", "the connection to the store broke off; try again soon"),
    ],
)
def test_transient_errors_say_to_try_again(
    open_store: Callable[..., Store], postgresql_url: str, sql: str, said: str
) -> None:
    store = open_store(postgresql_url)
    migrate.upgrade(store)

    with pytest.raises(StoreUnreadable) as found, read_session(store) as connection:
        connection.exec_driver_sql(sql)

    assert found.value.for_readers == said
    with read_session(store) as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
