"""The container files, as far as they can be proved without an engine: lint, schema, and agreement with the code."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from polyweb.env import PREFIX, Env

DOCKER = Path(__file__).resolve().parents[1] / "docker"
BIN = Path(sys.executable).parent


def yaml(name: str) -> Any:
    return YAML(typ="safe").load(DOCKER / name)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_dockerfile_passes_the_linter() -> None:
    done = run(str(BIN / "hadolint"), str(DOCKER / "Dockerfile"))
    assert (done.returncode, done.stdout) == (0, "")


def test_compose_file_follows_the_specification() -> None:
    schema = "vendor.compose-spec"
    done = run(str(BIN / "check-jsonschema"), "--builtin-schema", schema, str(DOCKER / "compose.yaml"))
    assert done.returncode == 0, done.stdout


def test_compose_runs_every_role_of_the_entry_script() -> None:
    roles = set(re.findall(r"^    (web|engine|worker|beat)\)", (DOCKER / "entry").read_text(), re.MULTILINE))
    services = yaml("compose.yaml")["services"]
    assert roles == {"web", "engine", "worker", "beat"}
    assert roles | {"migrate", "postgres", "redis", "prometheus"} == set(services)
    assert {services[role]["command"][0] for role in roles} == roles


def test_compose_sets_only_variables_that_exist() -> None:
    known = {PREFIX + name.upper() for name in Env.model_fields}
    services = yaml("compose.yaml")["services"]
    used = {name for service in services.values() for name in service.get("environment", {})}
    assert {name for name in used if name.startswith(PREFIX)} - known == set()


def test_compose_secrets_are_the_files_that_make_secrets_writes() -> None:
    written = set(re.findall(r">secrets/(\w+)", (DOCKER / "make-secrets").read_text()))
    assert written == set(yaml("compose.yaml")["secrets"])


def test_prometheus_scrapes_the_roles_that_answer() -> None:
    jobs = yaml("prometheus.yml")["scrape_configs"]
    targets = {target for job in jobs for entry in job["static_configs"] for target in entry["targets"]}
    assert targets == {"web:8000", f"engine:{Env.model_fields['metrics_port'].default}", "localhost:9090"}


def test_image_takes_every_package_and_nothing_secret() -> None:
    copied = set(re.findall(r"^COPY (\w+) \1$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE))
    assert copied == {"static", "templates", "markets", "strategies", "risk", "execution", "polyweb"}
    assert "docker/secrets" in (DOCKER.parent / ".dockerignore").read_text()


def test_image_does_not_run_as_root() -> None:
    assert "\nUSER 10001:10001\n" in (DOCKER / "Dockerfile").read_text()


@pytest.mark.parametrize("script", ["entry", "make-secrets"])
def test_container_scripts_are_executable_posix_sh(script: str) -> None:
    assert os.access(DOCKER / script, os.X_OK)
    assert run("sh", "-n", str(DOCKER / script)).returncode == 0


def test_unknown_role_is_one_line(tmp_path: Path) -> None:
    copy = tmp_path / "entry"
    copy.write_text((DOCKER / "entry").read_text().replace("cd /app", ":"))
    done = run("sh", str(copy), "dance")
    assert done.returncode == 64
    assert done.stderr.count("\n") == 1


def test_probe_says_no_when_nothing_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYWEB_METRICS_PORT", "1")
    assert run(sys.executable, str(DOCKER / "probe.py"), "engine").returncode == 1


def test_secrets_are_made_once_and_are_long_enough_for_live(tmp_path: Path) -> None:
    script = tmp_path / "make-secrets"
    script.write_text((DOCKER / "make-secrets").read_text())
    first, second = run("sh", str(script)), run("sh", str(script))
    key = (tmp_path / "secrets" / "polyweb_secret_key").read_text()
    assert (first.returncode, second.returncode) == (0, 0)
    assert len(key) >= 50
    assert "nothing changed" in second.stderr
