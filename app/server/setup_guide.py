"""What the first page needs from other rooms: URLs for Plivo, the tunnel, the local checks, and a test call."""

import logging
import threading
from collections.abc import Iterable
from urllib.parse import urlsplit

from app.account.errors import AccountError, UnreachableError
from app.account.local_checks import Check, local_checks
from app.account.public_url import addresses_at, find_tunnel
from app.context import Services
from app.dial.callback_urls import PREFIX
from app.plan.values import ANY_NUMBER
from app.reports.pages.first_run import Reach
from app.server.local_server import local_server
from app.simulator.carrier.call_requests import ApplicationUrls
from app.simulator.run import Run, play
from app.simulator.scenario import Behaviour, DialScript, Person, Scenario
from app.simulator.wire.http_exchange import NoReplyError
from app.simulator.wire.transport import RemoteTargetError, Transport
from settings.urls import is_private

log = logging.getLogger(__name__)

_CALLER, _CALLED = "+14155550143", "+14155550199"
_TEST_CALL = Scenario(
    name="test-call", dial=(DialScript(person=(Person(does=Behaviour.ANSWERS, after=4, talks=8),)),), weight=0
)


class SetupGuide:
    """Answers the first page's questions about one application."""

    def __init__(self, shared: Services) -> None:
        self._shared = shared

    def reach(self) -> Reach:
        """Return the URLs for Plivo, and in a sentence whether Plivo can reach them and what to do."""
        config = self._shared.config
        base, is_reached = config.public_url, True
        if base is not None and not is_private(base):
            said = f"PUBLIC_URL is {base}."
        else:
            try:
                base = find_tunnel(config.port) + config.path_prefix
                said = f"ngrok leads from {base} to this server. Write PUBLIC_URL={base} into .env and start again."
            except UnreachableError:
                said = f"For a tunnel, run `ngrok http {config.port}`. With an address of your own, set PUBLIC_URL."
                base, is_reached, said = self._local(), False, f"Plivo cannot reach this address yet. {said}"
            except AccountError as error:
                base, is_reached, said = self._local(), False, f"{error.message}."
        urls = addresses_at(base, retry_control=config.retry_control, retry_notice=config.retry_notice)
        named = {"Answer URL": urls.answer, "Hangup URL": urls.hangup, "Fallback URL": urls.fallback}
        return Reach(urls=named, is_reached=is_reached, said=said)

    def checks(self) -> Iterable[Check]:
        """Return what `flask doctor` finds on this machine."""
        return local_checks(self._shared)

    def start_test_call(self) -> None:
        """Play a call to this server in the background, in real time: it rings, is answered and ends."""
        threading.Thread(target=self._play, name="test-call", daemon=True).start()

    def _play(self) -> None:
        config = self._shared.config
        base, connect_to = local_server(config)
        answer = f"{base}{'' if config.public_url else config.path_prefix}{PREFIX}/"
        run = Run(
            named=[_TEST_CALL],
            mix=(),
            calls=1,
            concurrency=1,
            seed=0,
            urls=ApplicationUrls(answer=answer, hangup=f"{answer}hangup/", ring=f"{answer}ring/", phlo=answer),
            transport=Transport(
                token=next(iter(config.plivo_auth_tokens), None), connect_to=connect_to, sends_simulated_time=False
            ),
            faults=(),
            other_number=_CALLER,
            own_number=self._called(),
            zone=config.plivo_timezone,
            real_time=True,
            names_callers=True,
        )
        try:
            play(run, lambda _call: None)
        except (NoReplyError, RemoteTargetError, OSError) as error:
            log.warning("test_call_failed", extra={"reason": str(error), "host": urlsplit(answer).netloc})

    def _local(self) -> str:
        config = self._shared.config
        return config.public_url or f"http://{config.host}:{config.port}{config.path_prefix}"

    def _called(self) -> str:
        """Return a number of ours that the plan knows."""
        routes = self._shared.plan.routes.values()
        known = [number for route in routes for number in route.called if number != ANY_NUMBER]
        return next((number for number in known if number.startswith("+")), _CALLED)
