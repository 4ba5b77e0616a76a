"""The files around the code agree with each other: pins, the example environment, the entry script."""

import os
import re
import subprocess
from pathlib import Path

from polyweb.devtools import example_env

ROOT = Path(__file__).resolve().parents[1]
PIN = re.compile(r"^([A-Za-z0-9_.\[\],-]+==[^ ;\\]+)", re.MULTILINE)


def pins(name: str) -> set[str]:
    return set(PIN.findall((ROOT / name).read_text(encoding="utf-8")))


def test_development_list_holds_every_run_time_pin() -> None:
    assert pins("requirements.txt") - pins("requirements-dev.txt") == set()


def test_every_requirement_is_pinned_with_a_hash() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text(encoding="utf-8")
        blocks = re.split(r"\n(?=[A-Za-z0-9])", text)
        assert [b.splitlines()[0] for b in blocks if "==" in b.splitlines()[0] and "--hash=sha256:" not in b] == []


def test_requirements_name_no_registry() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        assert not re.search(r"https?://|--index|--find-links", (ROOT / name).read_text(encoding="utf-8"))


def test_example_environment_names_every_variable_and_no_other() -> None:
    # Written by `./run lock`, or by `python -m polyweb.devtools.example_env` alone.
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == example_env.render()


def test_example_environment_changes_nothing_when_copied() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.strip() and not line.startswith("#")] == []


def test_entry_scripts_are_executable_posix_sh() -> None:
    for name in ("run", ".ci/run"):
        path = ROOT / name
        assert os.access(path, os.X_OK)
        assert path.read_text(encoding="utf-8").startswith("#!/bin/sh\n")
        assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0


def test_unknown_command_is_one_line_and_the_usage() -> None:
    done = subprocess.run(["./run", "dance"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "unknown command: dance" in done.stderr
