"""The server's own log lines, through the same formatter as all others."""

from gunicorn.config import Config as GunicornConfig
from gunicorn.glogging import Logger


class GunicornLogger(Logger):  # type: ignore[misc]  # Gunicorn comes without types.
    """Hands what gunicorn says to the handler that `configure_logging` has set."""

    def setup(self, cfg: GunicornConfig) -> None:
        """Take gunicorn's handlers away again: with them each line would be written twice."""
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            log.handlers.clear()
            log.propagate = True
