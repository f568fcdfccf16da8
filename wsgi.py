"""What gunicorn and flask load: `gunicorn wsgi:app`, `flask --app wsgi …`."""

import sys

import click

from app import create_app, make_services
from app.cli.group import without_services
from app.ops.logs import configure_logging
from app.server.prepare import prepare
from app.server.shared_services import Refused, serving
from config import Config

command = click.get_current_context(silent=True)
is_development_server = command is not None and command.info_name == "run"
try:
    # A worker finds what its master has read and checked; `flask` has no master.
    services = serving.services or serving.renew(lambda: make_services(Config.load()))
except Refused as refused:
    if command is None or command.parent is not None:  # A server, or a command of Flask's own.
        raise
    app = without_services(refused)
else:
    # What a command writes to stdout is its answer, which may be read on as JSON or CSV.
    configure_logging(services.config, sys.stdout if command is None or is_development_server else sys.stderr)
    app = create_app(services.config, services)
    if is_development_server:
        prepare(services.store)  # The development server has nobody before it who would do this.
