"""params export and import."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from strategies import services
from strategies.models import ParamRevision

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def run(*words: str) -> str:
    out = io.StringIO()
    call_command("params", *words, stdout=out)
    return out.getvalue()


def test_what_is_exported_can_be_imported(tmp_path: Path) -> None:
    path = tmp_path / "params.json"
    path.write_text('{"global": {"half_spread": 0.02}}')
    assert json.loads(run("import", str(path), "--json", "--reason", "try")) == {"file": str(path), "scopes": 1}
    assert ParamRevision.objects.get().reason == "try"
    assert json.loads(run("export", str(path), "--json"))["markets"] == 0
    assert json.loads(path.read_text()) == services.export_params() == json.loads(run("export", "-"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"global": {"half_spread": 0.9}}', "global.half_spread: 0.9 is outside 0.0001..0.4"),
        ('{"markets": {"0xno": {}}}', "unknown market: 0xno"),
        ("{", "not JSON"),
    ],
)
def test_a_wrong_file_is_one_clear_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "params.json"
    path.write_text(text)
    with pytest.raises(CommandError, match=words) as caught:
        run("import", str(path))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        run("import", str(tmp_path / "no.json"))
