"""Disk space reserved for the spool, released to receipts when the disk is full."""

import logging
import os
import shutil
from pathlib import Path
from typing import BinaryIO

log = logging.getLogger(__name__)

SIZE = 16 * 2**20  # Bytes: room for thousands of receipts.
_PIECE = 2**18  # Bytes released at a time: what filled the disk may take the rest of a piece at once.


def allocate(file: BinaryIO, size: int) -> None:
    """Allocate disk space for a file opened for appending. Raises OSError."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
    else:  # macOS
        file.write(bytes(size - file.tell()))


class Reserve:
    """A file of zeros that is truncated when a receipt needs its space."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def fill(self) -> None:
        """Fill the reserve when the disk has twice its size free; otherwise the store needs the space more."""
        try:
            if self._size() >= SIZE:
                return
            free = shutil.disk_usage(self._path.parent).free
            if free < 2 * SIZE:
                log.warning("spool_without_reserve", extra={"free_bytes": free})
                return
            with self._path.open("ab") as file:
                allocate(file, SIZE)
        except OSError as error:
            log.warning("spool_without_reserve", extra={"error": str(error)})

    def release(self) -> bool:
        """Release a piece to the disk; return False when nothing is left."""
        try:
            size = self._size()
            if size:
                os.truncate(self._path, max(0, size - _PIECE))
        except OSError:
            return False  # The receipt is then refused for its own reason.
        return size > 0

    def _size(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0
