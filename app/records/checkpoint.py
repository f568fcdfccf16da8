"""SQLite's checkpoints, made beside the writing.

What is committed lies in SQLite's write-ahead log until it is copied into the file. Left to itself SQLite does that
within a commit, once the log has a thousand pages: whoever commits waits for it, and so does every other process that
stands in line. A thread of its own copies sooner, while others write on; a commit does so only where the log has grown
long all the same, since SQLite begins it anew only when it was copied whole.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

log = logging.getLogger(__name__)

LOG_PAGES = 4000  # The log's length at which a commit copies what is left of it: 16 MB of 4,096 bytes a page.
COMMITS = 16  # Between two copies; each writes 25 to 150 pages.

_PAUSE = 0.02  # Seconds between two tries to empty the log.


def empty_log(execute: Callable[[str], int], *, patience: float = 5.0) -> bool:
    """Copy all of the log and cut it to nothing; False where others kept it busy for `patience` seconds.

    `execute` runs a statement and gives the first value of its first row. What was deleted is in the log until then.
    """
    until = time.monotonic() + patience
    # SQLite waits for readers and writers here, but not for another process's checkpoint.
    while execute("PRAGMA wal_checkpoint(TRUNCATE)"):
        if time.monotonic() > until:
            return False
        time.sleep(_PAUSE)
    return True


class Checkpointer:
    """Copies one process's commits into the file. Its thread starts with the first of them to be copied."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._commits = 0
        self._thread: threading.Thread | None = None
        self._is_due = threading.Event()
        self._is_closed = False

    def note_commit(self) -> None:
        """Count a commit, and have what was committed copied when there is enough of it. Returns at once."""
        self._commits += 1
        if self._commits < COMMITS:
            return
        self._commits = 0
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="checkpoint", daemon=True)
            self._thread.start()
        self._is_due.set()

    def close(self) -> None:
        """Have the thread end. A copy under way goes on to its end, or ends with the process: either is safe."""
        self._is_closed = True
        self._is_due.set()

    def _run(self) -> None:
        connection = None
        while self._is_due.wait() and not self._is_closed:
            self._is_due.clear()
            try:
                connection = connection or self._engine.raw_connection()
                # PASSIVE waits for nobody and keeps nobody waiting: it copies what no reader is at.
                connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            except (DBAPIError, sqlite3.Error) as error:
                # Nothing is lost: it stays in the log, where everybody reads it, until a later copy.
                log.warning("checkpoint_failed", extra={"error": str(error)})
                if connection is not None:
                    connection.close()
                connection = None
        if connection is not None:
            connection.close()
