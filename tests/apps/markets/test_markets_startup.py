"""What a process pays to start: the venue's client takes a second to import, and only the crawl needs it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = """
import sys
import django
django.setup()
from django.urls import get_resolver
get_resolver().url_patterns
from polyweb.celery import app
app.loader.import_default_modules()
print("polymarket" in sys.modules)
"""


def test_no_process_imports_the_venues_client_before_it_crawls() -> None:
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "polyweb.settings.test"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout.strip(), done.returncode) == ("False", 0), done.stderr[-2000:]
