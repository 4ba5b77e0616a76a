"""The containers' health probe: exit code 0 when this role answers. No curl in the image, and none needed."""

import os
import subprocess
import sys
from http.client import HTTPConnection

TIMEOUT_S = 4.0
WEB_PORT = 8000


def answers(port: int, path: str) -> bool:
    # Django answers only to its own host names.
    host = os.environ.get("POLYWEB_ALLOWED_HOSTS", "localhost").split(",")[0]
    link = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        link.request("GET", path, headers={"Host": host})
        return link.getresponse().status == 200
    except OSError:
        return False
    finally:
        link.close()


def worker_answers() -> bool:
    name = f"celery@{os.environ.get('HOSTNAME', '')}"
    command = ["celery", "-A", "polyweb", "inspect", "ping", "-d", name, "-t", str(TIMEOUT_S)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def main(role: str) -> bool:
    if role == "web":
        return answers(WEB_PORT, "/health/live")
    if role == "engine":
        return answers(int(os.environ.get("POLYWEB_METRICS_PORT") or 9464), "/metrics")
    if role == "worker":
        return worker_answers()
    raise SystemExit(f"probe: unknown role {role!r} (web, engine, worker)")


if __name__ == "__main__":
    sys.exit(0 if main(*sys.argv[1:]) else 1)
