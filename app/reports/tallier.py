"""This process's tallier: whoever looks at figures has what is over counted for the next one."""

from typing import cast

from flask import Flask, current_app

from app.context import services
from app.records.rollups.job import RollupJob

_EXTENSION = "dialstatus-tallier"


def use_tallier(app: Flask) -> None:
    """Make room for the tallier; it is made when it is first needed, in the process that serves."""
    app.extensions[_EXTENSION] = None


def wake_tallier() -> None:
    """Have what is over counted, beside the request."""
    extensions = current_app.extensions
    if extensions[_EXTENSION] is None:
        extensions[_EXTENSION] = RollupJob(services().store, services().config.timezone)
    cast(RollupJob, extensions[_EXTENSION]).wake()


def stop_tallier(app: Flask) -> None:
    """End the counting, as a test or a process that ends does."""
    tallier = app.extensions[_EXTENSION]
    if tallier is not None:
        cast(RollupJob, tallier).stop()
