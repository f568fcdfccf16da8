"""Addresses of events and notices: from settings and plan, with secrets from the environment."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from app.notify.addresses import Address, addresses_of
from app.plan.load import PlanError, plan_from_tables
from app.plan.outlets import NOBODY_REACHED
from app.records.writing.outbox import EventType
from config import Config, ConfigError
from settings.notify import EVENT_TYPES
from tests.notify.receiver import SECRET

ROUTES = {"main": {"steps": {"all": {"ring": ["+14155550123"]}}}}
CRM = {"url": "https://crm.example.com/$PATH_OF_CRM", "secret": "$CRM_SECRET", "types": ["call.ended"]}


def addresses(tmp_path: Path, tables: Mapping[str, object], **environment: str) -> list[Address]:
    """Return the addresses of a plan and settings."""
    config = Config.load({"INSTANCE_DIR": str(tmp_path), **environment})
    return list(addresses_of(config, plan_from_tables({"routes": ROUTES, **tables}, source="plan.toml")))


def test_the_settings_know_every_type_of_event() -> None:
    assert set(EVENT_TYPES) == set(EventType)


def test_variables_are_filled_in_and_never_shown(tmp_path: Path) -> None:
    tables = {"events": {"crm": CRM | {"routes": ["main"]}}}
    (crm,) = addresses(tmp_path, tables, PATH_OF_CRM="hooks", CRM_SECRET=SECRET)

    assert not crm.is_for_people
    assert (crm.name, crm.url, crm.secret) == ("events.crm", "https://crm.example.com/hooks", SECRET)
    assert crm.takes("call.ended", "main")
    assert not crm.takes("call.ended", "other")
    assert not crm.takes("dial.ended", "main")
    assert SECRET not in repr(crm)
    assert "hooks" not in repr(crm)


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"events": {"crm": CRM}}, "set PATH_OF_CRM in the environment"),
        ({"events": {"crm": {"url": "https://a.example", "secret": "short"}}}, "secret cannot be used"),
        ({"events": {"crm": {"url": "https://a.example", "secret": SECRET, "routes": ["sales"]}}}, "no route"),
        ({"notify": {"team": {"urls": ["syslog://"]}}}, "syslog:// cannot be used"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_sentence(tmp_path: Path, tables: dict[str, object], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        addresses(tmp_path, tables)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"urls": []}, "urls is empty"),
        ({"urls": ["ntfys://calls"], "events": ["forgotten"]}, "'forgotten' is unknown"),
        ({"urls": ["ntfys://calls"], "quiet": "22-7"}, "such as 22:00-07:00"),
    ],
)
def test_mistakes_in_the_plan_are_named(tmp_path: Path, table: dict[str, object], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        addresses(tmp_path, {"notify": {"team": table}})


def test_each_url_is_an_address_of_its_own(tmp_path: Path) -> None:
    found = addresses(
        tmp_path, {}, NOTIFY_URLS="ntfys://calls, mailtos://a:b@example.com?to=c@example.com,d@example.com"
    )

    assert [one.name for one in found] == ["NOTIFY_URLS.1", "NOTIFY_URLS.2"]
    assert all(one.takes(outcome, None) for one in found for outcome in NOBODY_REACHED)
    assert not any(one.takes("answered", None) for one in found)


def test_a_service_of_this_machine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="NOTIFY_URLS cannot be used; dbus"):
        addresses(tmp_path, {}, NOTIFY_URLS="dbus://")


@pytest.mark.parametrize(
    ("now", "due"),
    [("21:59", "21:59"), ("22:00", "+07:00"), ("23:30", "+07:00"), ("06:59", "07:00"), ("07:00", "07:00")],
)
def test_quiet_hours_end_in_the_local_morning(now: str, due: str) -> None:
    zone = ZoneInfo("Europe/Berlin")
    address = Address(name="a", url="ntfys://a", types=frozenset(), quiet=(22 * 60, 7 * 60))
    at = datetime.fromisoformat(f"2026-03-02T{now}").replace(tzinfo=zone)
    day = 3 if due.startswith("+") else 2

    moment = datetime.fromtimestamp(address.next_moment(round(at.timestamp() * 1000), zone) / 1000, UTC)

    assert moment == datetime.fromisoformat(f"2026-03-0{day}T{due.removeprefix('+')}").replace(tzinfo=zone)
