"""The profiles as processes: what is wrong is said with an id, never as a traceback, and nothing is started."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

ROOT = Path(__file__).resolve().parents[3]


def manage(profile: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("POLYWEB_")}
    env = {**inherited, "DJANGO_SETTINGS_MODULE": f"polyweb.settings.{profile}", **variables}
    command = [sys.executable, "manage.py", *words]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=60)


def test_wrong_settings_stop_a_command_with_ids_and_hints(tmp_path: Path) -> None:
    wrong = {
        "POLYWEB_VAR_DIR": str(tmp_path),
        "POLYWEB_CLOB_URL": "https://clob.polymarket.com",
        "POLYWEB_METRICS_PORT": "many",
        "POLYWEB_REDIS_URLL": "redis://h",
    }
    done = manage("demo", "migrate", **wrong)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for expected in ("polyweb.E001", "polyweb.E002", "polyweb.W001", "Did you mean POLYWEB_REDIS_URL?"):
        assert expected in done.stderr


def test_wrong_database_url_never_becomes_another_database(tmp_path: Path) -> None:
    url = "postgresql://me:hunter2@host:port/trade"
    done = manage("demo", "migrate", POLYWEB_VAR_DIR=str(tmp_path), POLYWEB_DATABASE_URL=url)
    assert done.returncode == 1
    assert "polyweb.E001" in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr
    assert list(tmp_path.glob("*.sqlite3")) == []


def test_bare_live_profile_refuses_to_start(tmp_path: Path) -> None:
    done = manage("live", "migrate", POLYWEB_VAR_DIR=str(tmp_path))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for expected in ("polyweb.E003", "polyweb.E004", "polyweb.E005", "polyweb.E009", "polyweb.W002"):
        assert expected in done.stderr


def test_complete_live_profile_passes_djangos_own_deployment_checks(tmp_path: Path) -> None:
    variables = {
        "POLYWEB_VAR_DIR": str(tmp_path),
        "POLYWEB_SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP",
        "POLYWEB_ALLOWED_HOSTS": "trade.example",
        "POLYWEB_DATABASE_URL": "postgresql://me:pw@db.example/trade",
        "POLYWEB_REDIS_URL": "redis://cache.example:6379/0",
    }
    done = manage("live", "check", "--deploy", "--fail-level", "WARNING", **variables)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("directive", ["script-src", "style-src", "default-src"])
def test_policy_allows_nothing_inline(directive: str) -> None:
    assert settings.CONTENT_SECURITY_POLICY["DIRECTIVES"][directive] == ["'self'"]


def test_api_is_closed_unless_a_view_opens_it() -> None:
    answer = APIView.as_view()(APIRequestFactory().get("/"))
    assert answer.status_code in (401, 403)
