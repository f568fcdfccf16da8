"""What gunicorn and flask load: `gunicorn wsgi:app`, `flask --app wsgi …`."""

import click

from app import create_app, make_services
from app.ops.logs import configure_logging
from app.prepare import prepare
from app.serving import serving
from config import Config

# A worker finds what its master has read and checked; `flask` has no master.
services = serving.services or serving.renew(lambda: make_services(Config.load()))
configure_logging(services.config)
app = create_app(services.config, services)

command = click.get_current_context(silent=True)
if command is not None and command.info_name == "run":
    prepare(app)  # The development server has nobody before it who would do this.
