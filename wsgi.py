"""What servers and `flask` load: `gunicorn wsgi:app`, `waitress-serve wsgi:app`, `flask --app wsgi …`."""

import atexit
import sys

import click

from app import create_app, make_services
from app.context import Refused
from app.ops.logs import configure_logging
from app.server.lifecycle import prepare, serving, start, stop
from config import Config

command = click.get_current_context(silent=True)  # None under a server, `flask` itself before a command of ours.
serves = command is None or command.info_name == "run"
is_prepared = serving.services is not None  # By `gunicorn.conf.py`, whose hooks start and stop the background jobs too.
if command is not None:
    from app.cli.group import add_commands, without_services
try:
    services = serving.services or serving.renew(lambda: make_services(Config.load()))
except Refused as refused:
    if command is None or command.parent is not None:
        raise
    app = without_services(refused)
else:
    # What a command prints to stdout may be read as JSON or CSV.
    configure_logging(services.config, sys.stdout if serves else sys.stderr)
    app = create_app(services.config, services)
    if command is not None:
        add_commands(app)
    if serves and not is_prepared:
        prepare(services.store)
        start(app)
        atexit.register(stop, app)
