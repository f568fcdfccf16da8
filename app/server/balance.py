"""Which worker takes the next connection: the one with the fewest.

All workers listen on one socket, and whichever runs first takes what has come: of a burst one worker takes all, while
another processor has nothing to do. So each tells the others how many connections it has, in memory they share, and
one that has more than another gives way for a moment. Only for a moment: nobody depends on anybody else.
"""

import mmap
import struct

_SLOTS = 256
_SLACK = 4  # To give way for each connection would make those of a burst wait for one another.
_COUNT = struct.Struct("H")
_ALL = struct.Struct(f"{_SLOTS}H")


class Shares:
    """How many connections each worker has. Made before the workers are forked, and shared by them.

    A slot holds 0 where there is no worker, else one more than its connections.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _ALL.size)

    def tell(self, worker: int, connections: int) -> None:
        """Tell how many connections a worker has; workers are numbered by their age."""
        _COUNT.pack_into(self._memory, worker % _SLOTS * _COUNT.size, min(connections + 1, 65535))

    def forget(self, worker: int) -> None:
        """Note that a worker has ended."""
        _COUNT.pack_into(self._memory, worker % _SLOTS * _COUNT.size, 0)

    def is_ahead(self, connections: int) -> bool:
        """Tell whether a worker with so many connections has clearly more than another one."""
        return any(0 < slot <= connections - _SLACK for slot in _ALL.unpack_from(self._memory))


shares = Shares()
