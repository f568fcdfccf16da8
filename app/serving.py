"""What this process serves with: read by the server's master, and found here by the workers it forks.

A reload reads the settings anew. Were each worker to read them, one that is refused would end the whole server.
"""

import logging
import sys
from collections.abc import Callable

from app.context import Services
from app.plan.load import PlanError
from config import ConfigError

log = logging.getLogger(__name__)


class Serving:
    """The services of the running server; None before it has any."""

    def __init__(self) -> None:
        self.services: Services | None = None

    def renew(self, make: Callable[[], Services]) -> Services:
        """Make the services anew. What is refused ends a server that starts; one that runs keeps what it has."""
        try:
            self.services = make()
        except (ConfigError, PlanError) as error:
            if self.services is None:
                sys.exit(str(error))
            log.error("settings_refused", extra={"reason": str(error)})  # noqa: TRY400  # The reason says all.
        return self.services


serving = Serving()
