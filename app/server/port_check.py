"""The port, looked at before it is opened: of one that is taken gunicorn writes ten lines, and not what to do."""

import errno
import socket
import time

# Seconds that a port may still be held by a server that is ending, or by workers whose master was killed. Gunicorn is
# as patient.
_PATIENCE = 5.0
_PAUSE = 0.1


def why_not(host: str, port: int) -> str | None:
    """Say in a sentence why nobody can listen there, and what to write; None where one can."""
    deadline = time.monotonic() + _PATIENCE
    while error := _refusal(host, port):
        if error.errno != errno.EADDRINUSE:
            return f"HOST {host} and PORT {port} cannot be listened on: {error.strerror}; write others"
        if time.monotonic() > deadline:
            other = port + 1 if port < 65_535 else port - 1
            return f"PORT {port} of {host} is taken; end what listens there, or write another, such as PORT={other}"
        time.sleep(_PAUSE)
    return None


def _refusal(host: str, port: int) -> OSError | None:
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # As gunicorn does.
            probe.bind((host, port))
    except OSError as error:
        return error
    return None
