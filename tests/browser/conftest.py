"""The whole house for a browser: the real demo in a folder of its own, and Chromium.

Runs as its own pytest call: Playwright's loop and pytest-asyncio do not share a process.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import PATIENCE_MS, WIDE, House, context_of, log_in

ROOT = Path(__file__).resolve().parents[2]
START_S = 180
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    port = free_port()
    env = {name: value for name, value in os.environ.items() if not name.startswith(("POLYWEB_", "PYTEST_"))}
    env |= {
        "DJANGO_SETTINGS_MODULE": "polyweb.settings.demo",
        "POLYWEB_VAR_DIR": str(folder / "var"),
        "POLYWEB_STATIC_ROOT": str(folder / "static"),
        "POLYWEB_METRICS_PORT": "0",
    }
    with (folder / "log").open("wb") as log:
        command = [sys.executable, str(ROOT / "manage.py"), "demo", "--port", str(port)]
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
        try:
            wait_until_ready(process, f"http://127.0.0.1:{port}", folder / "log")
            password = (folder / "var" / "admin-password").read_text().strip()
            yield House(f"http://127.0.0.1:{port}", "admin", password)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + START_S
    why = "no answer"
    while time.monotonic() < end:
        if process.poll() is not None:
            pytest.fail(f"the demo ended with {process.returncode}:\n{log.read_text()[-3000:]}")
        try:
            with urllib.request.urlopen(f"{url}/health/ready", timeout=2):
                return
        except urllib.error.HTTPError as error:
            why = json.dumps(json.load(error))
        except OSError as error:
            why = str(error)
        time.sleep(0.25)
    pytest.fail(f"the demo was not ready after {START_S} s ({why}):\n{log.read_text()[-3000:]}")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    return {
        **browser_type_launch_args,
        "executable_path": os.environ.get("POLYWEB_TEST_CHROMIUM", "/usr/bin/chromium"),
        "args": ["--no-sandbox", "--disable-gpu", "--disable-quic", *quiet],
    }


@pytest.fixture(scope="session")
def key_ring(house: House, browser: Any) -> Any:
    """One login for the whole run: the cookies of a session."""
    context = browser.new_context(base_url=house.url)
    page = context.new_page()
    log_in(page, house)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def operator(browser: Any, house: House, key_ring: Any) -> Iterator[Page]:
    """A page of somebody who is logged in."""
    context = context_of(browser, house, key_ring, viewport=WIDE)
    yield context.new_page()
    context.close()
