"""A database URL is what SQLAlchemy takes, or refused with a sentence."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from config import ROOT
from settings.urls import database_url
from tests.settings import load, problems


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("sqlite:////var/lib/dials.db", "sqlite:////var/lib/dials.db"),
        ("postgres://u:p@h/db", "postgresql+psycopg://u:p@h/db"),
        (
            "postgresql://u:p%40@h:5433/db?sslmode=require",
            "postgresql+psycopg://u:p%40@h:5433/db?sslmode=require",
        ),
        ("postgresql+psycopg://h/db", "postgresql+psycopg://h/db"),
        ("postgresql:///db?host=/run/postgresql", "postgresql+psycopg:///db?host=/run/postgresql"),
        (
            "postgresql://u:p@/db?host=a:1&host=b:2&target_session_attrs=read-write",
            "postgresql+psycopg://u:p@/db?host=a:1&host=b:2&target_session_attrs=read-write",
        ),
        (
            "postgres://u:p@a:1,b:2/db?target_session_attrs=read-write",
            "postgresql+psycopg://u:p@/db?host=a:1&host=b:2&target_session_attrs=read-write",
        ),
        ("postgres://a,b/db", "postgresql+psycopg:///db?host=a&host=b"),
    ],
)
def test_a_database_url_is_what_sqlalchemy_takes(tmp_path: Path, written: str, used: str) -> None:
    config = load(tmp_path, DATABASE_URL=written)

    assert config.database_url == used
    assert make_url(used).get_dialect().driver in {"pysqlite", "psycopg"}


def test_several_hosts_reach_the_driver(tmp_path: Path) -> None:
    url = make_url(load(tmp_path, DATABASE_URL="postgres://u@a:1,b:2/db?target_session_attrs=any").database_url)

    _, arguments = url.get_dialect()().create_connect_args(url)

    assert (arguments["host"], arguments["port"]) == ("a,b", "1,2")
    assert arguments["target_session_attrs"] == "any"


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("sqlite:///data.db", f"{ROOT}/data.db"),
        ("sqlite:///./data.db", f"{ROOT}/data.db"),
        ("sqlite:///instance/../data.db", f"{ROOT}/data.db"),
        ("sqlite:///my%20data.db", f"{ROOT}/my data.db"),
        ("sqlite:///~/data.db", str(Path.home() / "data.db")),
        ("sqlite:////var/lib/../data.db", "/var/data.db"),
        ("sqlite:////var/lib/a%2Bb.db?timeout=1", "/var/lib/a+b.db"),
    ],
)
def test_a_relative_database_file_lies_beside_the_settings(tmp_path: Path, written: str, path: str) -> None:
    assert make_url(load(tmp_path, DATABASE_URL=written).database_url).database == path


@pytest.mark.parametrize("directory", ["sqlite:////var/", "sqlite:///docs", "sqlite:///."])
def test_a_directory_is_not_taken_for_a_database(tmp_path: Path, directory: str) -> None:
    (problem,) = problems(tmp_path, DATABASE_URL=directory)

    assert problem == (
        "DATABASE_URL cannot be used; this is a directory; write the path of a file, such as "
        "sqlite:////absolute/path.db"
    )


@pytest.mark.parametrize(
    "written",
    [
        "postgresql://u:hush@h:port/x",
        "postgresql://u:hush@h:/x",
        "postgresql://u:hush@h:0/x",
        "postgresql://u:hush@h:65536/x",
        "postgresql://u:hush@h:5432٣/x",
        "postgresql://u:hush@a:5432,b:x/db",
        "postgresql://u:hush@[::1]:x/db",
        "postgresql://u:hush@/db?host=a:x",
        "postgresql://u:hush@/db?host=/run/postgresql&port=x",
    ],
)
def test_a_port_that_is_no_number_is_refused_with_a_sentence(tmp_path: Path, written: str) -> None:
    (problem,) = problems(tmp_path, DATABASE_URL=written)

    assert problem == "DATABASE_URL cannot be used; write the port as a number from 1 to 65535"


@pytest.mark.parametrize(
    "written",
    [
        "postgresql://u:hush@::1/db",
        "postgresql://u:hush@hush@h/db",
        "postgresql://u:hush@[::1],[::2]/db",
        "postgresql:///hush:x",
        "postgresql://u:hush@h o s t/db",
        "postgresql://u:hush@h",
        "postgresql://u:hush@h/db#main",
        "sqlite:relative.db",
        "sqlite:///file:data.db?uri=true",
        "sqlite+pysqlite:////var/lib/data.db",
        "data.db",
        "h:5432/db",
    ],
)
def test_other_forms_of_a_database_url_are_refused_with_a_sentence(tmp_path: Path, written: str) -> None:
    (problem,) = problems(tmp_path, DATABASE_URL=written)

    assert problem.startswith("DATABASE_URL cannot be used; write sqlite:////absolute/path.db or postgresql://user:")
    assert "hush" not in problem


@pytest.mark.parametrize(
    "rest",
    ["/db?host=a&host=b&port=1", "/db?host=a:1&port=2", "/db?port=1&port=2", "a,b/db?port=1", "a/db?host=b&port=1"],
)
def test_ports_apart_from_their_hosts_are_refused(tmp_path: Path, rest: str) -> None:
    (problem,) = problems(tmp_path, DATABASE_URL=f"postgresql://{rest}")

    assert problem.startswith("DATABASE_URL cannot be used; write each port once, after its host")


@given(st.from_regex(r"\A(u(:p)?@)?[a-z0-9:,.\[\]@%-]{0,12}/[a-z]{0,2}(\?(host|port|sslmode)=[a-z0-9:,&=/]{0,9})?\Z"))
def test_every_url_that_is_accepted_reaches_the_driver(rest: str) -> None:
    try:
        used = database_url(f"postgresql://{rest}")
    except ValueError:
        return
    url = make_url(used)

    url.get_dialect()().create_connect_args(url)
