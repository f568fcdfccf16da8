"""What this process serves with: read by the server's master, and found here by the workers it forks.

A reload reads the settings anew. Were each worker to read them, one that is refused would end the whole server.
"""

import logging
from collections.abc import Callable

from app.context import Services
from app.plan.load import PlanError
from config import ConfigError

log = logging.getLogger(__name__)


class Refused(SystemExit):
    """The settings, or the plan that they name, are refused. It ends the process with the reasons, unless caught."""

    def __init__(self, error: ConfigError | PlanError) -> None:
        super().__init__(str(error))
        self.of = "plan" if isinstance(error, PlanError) else "settings"
        self.problems = error.problems


class Serving:
    """The services of the running server; None before it has any."""

    def __init__(self) -> None:
        self.services: Services | None = None

    def renew(self, make: Callable[[], Services]) -> Services:
        """Make the services anew. What is refused ends a server that starts; one that runs keeps what it has.

        Raises `Refused`.
        """
        try:
            self.services = make()
        except (ConfigError, PlanError) as error:
            if self.services is None:
                raise Refused(error) from None
            log.error("settings_refused", extra={"reason": str(error)})  # noqa: TRY400  # The reason says all.
        return self.services


serving = Serving()
