"""The readiness check: write a row of its own and commit it."""

from sqlalchemy.exc import SQLAlchemyError

from app.records.model.ids import now
from app.records.model.receipt import StoreUnavailable
from app.records.store.store import Store
from app.records.store.version import NOT_CURRENT, is_current

_CURRENT: set[str] = set()  # Stores whose tables are known to be of this version.


def prove_write(store: Store) -> None:
    """Commit a row on a new connection. Raises `StoreUnavailable` with a sentence that says what is wrong."""
    _require_migrations(store)
    writer = store.connect_writer(in_turn=True)
    try:
        writer.begin([])
        writer.cursor.execute(store.statements.prove_write, (now(),))
        writer.commit()
    except store.errors as error:
        # The driver's message may name the host and the user.
        raise StoreUnavailable(f"the store took no write: {type(error).__name__}") from error
    finally:
        writer.close()


def _require_migrations(store: Store) -> None:
    name = store.url.render_as_string()
    if name in _CURRENT:
        return
    try:
        with store.engine.connect() as connection:
            current = is_current(connection)
    except (SQLAlchemyError, OSError) as error:
        raise StoreUnavailable("the store cannot be reached") from error
    if not current:
        raise StoreUnavailable(NOT_CURRENT)
    _CURRENT.add(name)
