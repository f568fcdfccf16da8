"""What the documents of this room say is true."""

import json
import re
from collections.abc import Callable

import click
import pytest
from flask import Flask

from app.account import errors
from app.cli.doctor import doctor
from app.cli.plivo import plivo
from app.context import EXTENSION
from tests.support.server import ROOT

ACCOUNT = (ROOT / "docs" / "account.md").read_text(encoding="utf-8")
PHLO = (ROOT / "docs" / "phlo.md").read_text(encoding="utf-8")
TOKEN = "a-made-up-token-of-the-phlo"
VARIABLES = {
    "Start.call.uuid": "a-leg",
    "Start.call.from": "+14155550100",
    "Start.call.to": "14155550199",
    "Call_Forward_1.uuid": "b-leg",
    "Call_Forward_1.hangup_cause": "4000",
}


def leaves(group: click.Group, path: str) -> list[tuple[str, click.Command]]:
    """Name the commands of a group and of its groups."""
    found: list[tuple[str, click.Command]] = []
    for name, command in group.commands.items():
        whole = f"{path} {name}"
        found += leaves(command, whole) if isinstance(command, click.Group) else [(whole, command)]
    return found


@pytest.mark.parametrize(("name", "command"), [*leaves(plivo, "flask plivo"), ("flask doctor", doctor)])
def test_every_command_and_option_is_documented(name: str, command: click.Command) -> None:
    assert name in ACCOUNT
    options = [option for one in command.params if isinstance(one, click.Option) for option in one.opts]
    unsaid = {"--ring-timeout", "--time-limit"}
    assert {option for option in options if option not in ACCOUNT} <= unsaid


def test_every_exit_code_is_documented() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    codes = {kind.exit_code for kind in kinds if issubclass(kind, errors.AccountError)}

    assert codes | {0} == {int(code) for code in re.findall(r"^\| (\d) \|", ACCOUNT, re.MULTILINE)}


@pytest.mark.parametrize(
    ("state", "outcome", "rang"),
    [
        ("Completed", "answered", True),
        ("No Answer", "missed", True),
        ("Busy/Rejected", "busy", True),
        ("Failed", "failed", None),
    ],
)
def test_each_body_for_phlo_is_recorded_as_what_it_means(
    make_app: Callable[[], Flask], environ: dict[str, str], state: str, outcome: str, rang: bool | None
) -> None:
    environ["PHLO_TOKEN"] = TOKEN
    template = re.search(rf"^{state}:\n\n```json\n(.*?)```", PHLO, re.DOTALL | re.MULTILINE)
    assert template
    body = re.sub(r"\{\{(.*?)\}\}", lambda name: VARIABLES[name[1]], template[1])
    app = make_app()

    reply = app.test_client().post(
        "/dialstatus/phlo/", json=json.loads(body), headers={"Authorization": f"Bearer {TOKEN}"}
    )

    assert reply.status_code == 200, reply.text
    assert reply.get_json()["recorded"] is True
    with app.extensions[EXTENSION].store.engine.connect() as connection:
        (dial,) = connection.exec_driver_sql(
            "SELECT outcome, dial_ring_status, from_number, to_number, dial_hangup_cause FROM dials"
        )
    assert tuple(dial) == (outcome, rang, "+14155550100", "+14155550199", "4000")
