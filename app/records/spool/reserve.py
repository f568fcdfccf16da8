"""Room on the disk that is held for the spool: where nothing else fits any more, it gives way to receipts."""

import logging
import os
import shutil
from pathlib import Path

log = logging.getLogger(__name__)

SIZE = 16 * 2**20  # Bytes: room for thousands of receipts.
_PIECE = 2**18  # Given back one at a time: whatever filled the disk takes what is left of a piece at once.


class Reserve:
    """A file of zeros that is cut shorter when a receipt needs its place."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def fill(self) -> None:
        """Make it whole where the disk has twice as much to spare; else the store needs the room more."""
        try:
            if self._size() >= SIZE:
                return
            free = shutil.disk_usage(self._path.parent).free
            if free < 2 * SIZE:
                log.warning("spool_without_reserve", extra={"free_bytes": free})
                return
            with self._path.open("ab") as file:
                os.posix_fallocate(file.fileno(), 0, SIZE)
        except OSError as error:
            log.warning("spool_without_reserve", extra={"error": str(error)})

    def give(self) -> bool:
        """Give a piece of it back to the disk; False when nothing is left to give."""
        try:
            size = self._size()
            if size:
                os.truncate(self._path, max(0, size - _PIECE))
        except OSError:
            return False  # The receipt is refused for the reason that it had before.
        return size > 0

    def _size(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0
