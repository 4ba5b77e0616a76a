"""Commands called with what cannot be: one line that names it, before anything is started or removed."""

import gzip
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from markets.feed.frames import require_market_frames
from markets.feed.recorder import RecordingError
from polyweb.devtools import stack
from polyweb.devtools.children import ROOT
from polyweb.devtools.machine import free_port
from polyweb.env import Profile

QUIET = ROOT / "tests" / "data" / "quiet_4_markets.jsonl.gz"


@pytest.mark.parametrize("port", ["99999", "-1", "0", "eighty"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(CommandError, match=f"{port} is not a port between 1 and 65535"):
        call_command("demo", f"--port={port}")
    if port != "0":
        with pytest.raises(CommandError, match=f"{port} is not a port between 1 and 65535, nor 0 for any free one"):
            call_command("sandbox", f"--port={port}")


@pytest.mark.parametrize("port", ["99999", "-1", "0"])
def test_the_full_stack_refuses_such_a_port_too(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        stack.main([f"--port={port}"])
    assert f"{port} is not a port between 1 and 65535" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--for=0",), "0 is not above zero"),
        (("--for=-3",), "-3 is not above zero"),
        (("--for=nan",), "nan is not above zero"),
        (("--markets=0",), "0 is not between 1 and 5000"),
        (("--markets=9999",), "9999 is not between 1 and 5000"),
    ],
)
def test_a_demo_of_nothing_is_refused(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("demo", *words)


@pytest.fixture
def prose(tmp_path: Path) -> Path:
    file = tmp_path / "notes.txt"
    file.write_text('dear diary\n{"event_type": "order", "id": "1"}\n[]\nPONG\n\n{"a": 1}\n')
    return file


NOT_ONE = r"no line of it is a market-channel frame \(2 malformed\)"


@pytest.mark.django_db
@pytest.mark.parametrize("command", ["replay", "verify_recording"])
def test_a_file_without_one_frame_is_no_recording(prose: Path, command: str) -> None:
    with pytest.raises(CommandError, match=NOT_ONE):
        call_command(command, str(prose), "--json")


@pytest.mark.django_db
def test_a_demo_of_such_a_file_forgets_nothing(prose: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYWEB_VAR_DIR", str(tmp_path))
    monkeypatch.setattr(settings, "POLYWEB", settings.POLYWEB.model_copy(update={"var_dir": tmp_path}))
    (tmp_path / "admin-password").write_text("kept")
    with pytest.raises(CommandError, match=NOT_ONE):
        call_command("demo", f"--port={free_port()}", "--recording", str(prose))
    assert (tmp_path / "admin-password").read_text() == "kept"


def test_one_frame_makes_a_recording() -> None:
    require_market_frames(QUIET)


def test_a_gz_that_is_not_gzip_says_so(tmp_path: Path) -> None:
    plain = tmp_path / "plain.jsonl.gz"
    plain.write_bytes(gzip.decompress(QUIET.read_bytes()))
    with pytest.raises(RecordingError, match="is named .gz and is not gzip"):
        require_market_frames(plain)
    with pytest.raises(CommandError, match="is named .gz and is not gzip"):
        call_command("sync_markets", "--file", str(plain))


def test_the_metrics_of_an_embedded_demo_are_on_its_site(monkeypatch: pytest.MonkeyPatch) -> None:
    demo = settings.POLYWEB.model_copy(update={"profile": Profile.DEMO, "metrics_port": free_port()})
    monkeypatch.setattr(settings, "POLYWEB", demo)
    with pytest.raises(CommandError, match="its numbers are in /metrics of its site"):
        call_command("metrics")


def test_the_full_stack_keeps_its_state_where_it_is_told(tmp_path: Path) -> None:
    chosen = stack.state_folder({"POLYWEB_VAR_DIR": str(tmp_path)})
    env = stack.environment({"POLYWEB_VAR_DIR": "elsewhere"}, chosen, "postgresql://x/y", "redis://x")
    assert chosen == tmp_path
    assert env["POLYWEB_VAR_DIR"] == str(tmp_path)
    assert (tmp_path / "secret_key").exists()
    assert env["POLYWEB_LOG_LEVEL"] == "WARNING"
    assert stack.state_folder({}) == ROOT / "var" / "up"
    assert stack.state_folder({"POLYWEB_VAR_DIR": "some/where"}) == ROOT / "some" / "where"
    # Rows and the operator's password belong together, also where rows may not live in that folder.
    assert stack.data_folder(tmp_path) != stack.data_folder(stack.DEFAULT_STATE)
