"""A mail server that keeps what it is sent."""

from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.server import free_port


def _read(content: bytes) -> EmailMessage:
    return BytesParser(EmailMessage, policy=default).parsebytes(content)


class Mailbox:
    """A real SMTP server on a port of its own. `refusals` are replies for the next mails."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refusals: list[str] = []
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep a mail, or refuse it."""
        if self.refusals:
            return self.refusals.pop()
        self.mails.append(_read(envelope.original_content or b""))
        return "250 kept"

    @property
    def url(self) -> str:
        """Return its URL for Apprise."""
        return f"mailto://127.0.0.1:{self.port}?mode=insecure&from=calls@example.com&to=team@example.com"

    def close(self) -> None:
        """Stop it."""
        self._controller.stop()


def text_of(mail: EmailMessage) -> str:
    """Return the plain text of a mail."""
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def notices_to(mailbox: Mailbox) -> dict[str, str]:
    """Return the settings that send notices there."""
    return {"NOTIFY_URLS": mailbox.url, "NOTIFY_ALLOW_PRIVATE": "true"}
