"""`replay --sweep`: every combination once, a table, a picture, and clear words for a file that cannot be used."""

import json
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from PIL import Image

DATA = Path(__file__).resolve().parents[2] / "data"
QUIET = DATA / "quiet_4_markets.jsonl.gz"
METADATA = f"{QUIET}.metadata.json"
PARTS = ("spread", "inventory", "rounding")


def output(*arguments: object) -> str:
    out = StringIO()
    call_command("replay", *map(str, arguments), stdout=out)
    return out.getvalue()


def sweep_file(folder: Path, text: str) -> Path:
    path = folder / "sweep.toml"
    path.write_text(text)
    return path


def swept(folder: Path, text: str) -> dict[str, Any]:
    found = json.loads(output(QUIET, "--metadata", METADATA, "--sweep", sweep_file(folder, text), "--json"))
    assert isinstance(found, dict)
    return found


def test_every_combination_is_run_once_and_its_parts_add_up(tmp_path: Path) -> None:
    runs = swept(tmp_path, '[sweep]\nhalf_spread = ["0.005", 0.02]\nlayers = [1, 2]\n')["runs"]
    assert [run["params"] for run in runs] == [
        {"half_spread": spread, "layers": layers} for spread in ("0.005", "0.02") for layers in ("1", "2")
    ]
    assert len({run["digest"] for run in runs}) == 4
    for run in runs:
        assert sum(Decimal(run[part]) for part in PARTS) - Decimal(run["fees"]) == Decimal(run["total"])
        assert Decimal(run["total"]) + Decimal(run["rebates"]) + Decimal(run["rewards"]) == Decimal(
            run["with_incentives"]
        )


def test_the_default_value_alone_is_the_plain_replay(tmp_path: Path) -> None:
    (run,) = swept(tmp_path, '[sweep]\nhalf_spread = ["0.01"]\n')["runs"]
    plain = json.loads(output(QUIET, "--metadata", METADATA, "--json"))
    assert (run["digest"], run["total"]) == (plain["digest"], plain["profit"]["total"])


def test_the_picture_is_a_png_beside_the_file_or_where_it_is_wanted(tmp_path: Path) -> None:
    path = Path(swept(tmp_path, "[sweep]\nlayers = [1]\n")["plot"])
    assert path == tmp_path / "sweep.png"
    with Image.open(path) as image:
        assert (image.format, image.size) == ("PNG", (1_200, 800))
    elsewhere = tmp_path / "other.png"
    text = output(
        QUIET, "--metadata", METADATA, "--sweep", sweep_file(tmp_path, "[sweep]\nlayers = [1]\n"), "--plot", elsewhere
    )
    assert f"picture: {elsewhere}" in text
    assert "with incentives" in text
    assert elsewhere.is_file()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[sweep\n", "give a TOML file"),
        ("[other]\nlayers = [1]\n", "one table .sweep."),
        ("[sweep]\n", "one table .sweep."),
        ("[sweep]\nlayers = 1\n", "sweep.layers: must be a list"),
        ("[sweep]\nlayers = []\n", "sweep.layers: must be a list"),
        ("[sweep]\nlayers = [11]\n", "sweep.layers: layers: 11 is outside 1..10"),
        ('[sweep]\nlayers = ["x"]\n', "sweep.layers: 'x' is not a number"),
        ("[sweep]\nlayer = [1]\n", "layer: is not a parameter"),
        (f"[sweep]\nsize = {list(range(10, 30))}\nmax_inventory = {list(range(30, 50))}\n", "would take 400 runs"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(CommandError, match=problem):
        output(QUIET, "--sweep", sweep_file(tmp_path, text))


def test_a_sweep_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"none\.toml"):
        output(QUIET, "--sweep", tmp_path / "none.toml")
