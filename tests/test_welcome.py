"""What is printed at start names the next step, and no secret that somebody chose."""

from pathlib import Path

from app.welcome import welcome
from config import Config


def said(tmp_path: Path, **settings: str) -> str:
    """Give what is printed with these settings."""
    return welcome(Config.load({"INSTANCE_DIR": str(tmp_path), **settings}))


def test_a_newcomer_is_told_every_url_the_number_and_the_link(tmp_path: Path) -> None:
    text = said(tmp_path)

    token = (tmp_path / "reports_token").read_text().strip()
    for part in (
        "answer URL    http://127.0.0.1:5000/dialstatus/",
        "hangup URL    http://127.0.0.1:5000/dialstatus/hangup/",
        "A call rings    +15551234567",
        "NOT checked",
        f"http://127.0.0.1:5000/login?token={token}",
        "curl http://127.0.0.1:5000/dialstatus/ ",
        "ngrok http 5000",
        "Note: DIAL_TO is +15551234567",
    ):
        assert part in text


def test_a_token_that_was_chosen_is_not_printed(tmp_path: Path) -> None:
    text = said(tmp_path, REPORTS_TOKEN="a-token-of-my-own-choice", PLIVO_AUTH_TOKEN="the-auth-token-of-plivo")

    assert "a-token-of-my-own-choice" not in text
    assert "the-auth-token-of-plivo" not in text
    assert "Dashboard       http://127.0.0.1:5000/login\n" in text


def test_plivo_is_given_the_public_url_and_the_plan_is_named(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.touch()

    text = said(tmp_path, PUBLIC_URL="https://calls.example.com", DIAL_PLAN=str(plan))

    assert "answer URL    https://calls.example.com/dialstatus/" in text
    assert f"A call rings    the plan {plan}" in text
    assert "ngrok" not in text
