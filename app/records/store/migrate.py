"""Migrations: bring the tables to the version that this code needs."""

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from app.records.model.receipt import StoreUnavailable
from app.records.store.prepare_tables import alone
from app.records.store.store import Store

_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(store: Store) -> None:
    """Run the missing migrations, all or none; concurrent upgrades take turns. Without any missing it is a no-op.

    Raises `StoreUnavailable` when the store cannot be reached, is full or is damaged.
    """
    try:
        with alone(store) as connection:
            command.upgrade(_alembic_config(connection), "head")
    except DBAPIError as error:
        raise StoreUnavailable(f"the tables cannot be brought up to date: {error.orig}") from error
    except CommandError as error:  # Alembic does not know the version of the tables.
        raise StoreUnavailable(
            "the tables belong to a newer version; run that version, or restore a backup made before the upgrade"
        ) from error


def downgrade(store: Store, revision: str) -> None:
    """Revert migrations down to a revision; `base` reverts all and deletes every record."""
    with alone(store) as connection:
        command.downgrade(_alembic_config(connection), revision)


def _alembic_config(connection: Connection) -> AlembicConfig:
    config = AlembicConfig()
    config.attributes["connection"] = connection
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


if __name__ == "__main__":
    try:
        upgrade(Store(sys.argv[1], timeout=5))
    except StoreUnavailable as error:
        sys.exit(str(error))
