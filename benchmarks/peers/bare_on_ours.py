"""The ceiling of this design: the bare Flask view on our own worker."""

from app import make_services
from app.context import EXTENSION
from benchmarks.peers.bare import app
from config import Config

app.extensions[EXTENSION] = make_services(Config.load())  # The worker's adapter looks into it.
