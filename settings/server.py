"""Settings: what is stored, who may see it, and how the server runs."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from settings import parsers, urls
from settings.declaration import Setting
from settings.parsers import ROOT


class LogFormat(StrEnum):
    """How log lines look; auto is text on a terminal, else JSON."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


@dataclass(frozen=True, kw_only=True, repr=False)
class ServerSettings:
    """What is stored, who may see it, and how the server runs."""

    database_url: Annotated[
        str,
        Setting(
            None,
            "`sqlite:////…` or `postgresql://…`; several hosts are allowed.",
            urls.database_url,
            "`dialstatus.db` in `INSTANCE_DIR`",
            secret=True,
        ),
    ]
    store_timeout: Annotated[
        float, Setting("0.8", "Seconds that one store operation may take.", parsers.seconds(0.05, 5))
    ]
    retention_days: Annotated[
        int, Setting("0", "Days to keep records; `0` keeps them forever.", parsers.integer(0, 36500))
    ]
    recording_days: Annotated[
        int,
        Setting(
            "0",
            "Days after which recordings are deleted at Plivo; `0` leaves them there.",
            parsers.integer(0, 36500),
        ),
    ]
    followup_wait: Annotated[
        int,
        Setting(
            "5",
            "Seconds after which a caller who gave up is to be called back.",
            parsers.integer(0, 3600),
        ),
    ]
    followup_closed: Annotated[
        bool, Setting("false", "Whether to call back callers outside opening hours too.", parsers.boolean)
    ]
    instance_dir: Annotated[
        Path,
        Setting(
            str(ROOT / "instance"),
            "Directory of the database, the spool and generated tokens.",
            parsers.directory,
            "`instance` beside `config.py`",
        ),
    ]
    reports_token: Annotated[
        str,
        Setting(
            None,
            "Token that opens the dashboard and the API.",
            parsers.token,
            "generated at the first start, stored in `INSTANCE_DIR`",
            secret=True,
        ),
    ]
    secret_key: Annotated[
        str,
        Setting(
            None,
            "Signs sessions and the URLs handed to Plivo; the same on every node.",
            parsers.token,
            "generated likewise",
            secret=True,
        ),
    ]
    timezone: Annotated[ZoneInfo, Setting("UTC", "Time zone of the dashboard.", parsers.zone)]
    plivo_timezone: Annotated[
        ZoneInfo, Setting("UTC", "Time zone of the Plivo account, in which Plivo reports times.", parsers.zone)
    ]
    mask_numbers: Annotated[
        bool, Setting("false", "Show only the last four digits of numbers on the dashboard.", parsers.boolean)
    ]
    feeds_allow_private: Annotated[
        bool,
        Setting("false", "Allow calendars of the plan on a private network or on this machine.", parsers.boolean),
    ]
    workers: Annotated[int, Setting("2", "Server processes.", parsers.integer(1, 256))]
    threads: Annotated[
        int,
        Setting("32", "Threads in each process, for the dashboard; webhooks need none.", parsers.integer(1, 1024)),
    ]
    log_format: Annotated[
        LogFormat,
        Setting("auto", "`json`, `text`, or `auto`: text on a terminal.", parsers.choice(*LogFormat, kind=LogFormat)),
    ]
    log_level: Annotated[
        str,
        Setting("INFO", "Lowest level to log.", parsers.choice("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")),
    ]
    simulated_time: Annotated[
        bool,
        Setting("false", "Trust the simulator's clock; only with signatures `off` on this machine.", parsers.boolean),
    ]
