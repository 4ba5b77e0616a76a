"""The picture of a sweep: profit and inventory over the recording's time, a line for every run.

Law: it draws what the runs said and nothing else; the legend names each run by its number in the table and by what it
differed by.
"""

import colorsys
from collections.abc import Callable, Sequence
from math import ceil, floor, log10
from pathlib import Path

from PIL import Image, ImageDraw

from markets.domain.units import NANOS_PER_SECOND
from polyweb.runtime.attribution import Point
from polyweb.sweeps import Outcome

WIDTH, HEIGHT = 1_200, 800
LEFT, RIGHT, TOP, GAP = 80, 250, 40, 60
PANEL = (HEIGHT - 2 * TOP - GAP) // 2
PAPER, INK, GRID = "#ffffff", "#222222", "#dddddd"
LINES_OF_GRID = 5
ROUND_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
LONGEST_NAME = 36
MOST_NAMED = 40

Value = Callable[[Point], float]


def draw(outcomes: Sequence[Outcome], path: Path) -> None:
    """Write a PNG. Raises OSError when it cannot be written."""
    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    pen = ImageDraw.Draw(image)
    colours = [_colour(index, len(outcomes)) for index in range(len(outcomes))]
    _panel(pen, TOP, "PnL, pUSD", outcomes, colours, lambda point: point.pnl / 1_000_000)
    _panel(pen, TOP + PANEL + GAP, "inventory, shares", outcomes, colours, lambda point: point.inventory / 1_000_000)
    if outcomes:
        pen.text((WIDTH - RIGHT + 20, TOP - 18), _short("run: " + ", ".join(outcomes[0].values)), fill=INK)
    for index, outcome in enumerate(outcomes[:MOST_NAMED]):
        y = TOP + index * 17
        pen.line((WIDTH - RIGHT + 20, y + 6, WIDTH - RIGHT + 40, y + 6), fill=colours[index], width=3)
        values = ", ".join(f"{value.normalize():f}" for value in outcome.values.values())
        pen.text((WIDTH - RIGHT + 46, y), _short(f"{outcome.number}: {values}"), fill=INK)
    image.save(path, format="PNG")


def _panel(
    pen: ImageDraw.ImageDraw, top: int, title: str, outcomes: Sequence[Outcome], colours: Sequence[str], of: Value
) -> None:
    points = [point for outcome in outcomes for point in outcome.points]
    pen.text((LEFT, top - 18), title, fill=INK)
    if not points:
        pen.text((LEFT + 20, top + 20), "the recording is too short for a point", fill=INK)
        return
    begin, end = min(point.at_ns for point in points), max(point.at_ns for point in points)
    step, low, high = _scale(min(0.0, *map(of, points)), max(0.0, *map(of, points)))
    span_ns, span = max(1, end - begin), high - low
    right = WIDTH - RIGHT

    def place(point: Point) -> tuple[float, float]:
        return (
            LEFT + (point.at_ns - begin) / span_ns * (right - LEFT),
            top + PANEL - (of(point) - low) / span * PANEL,
        )

    for line_of_grid in range(round(span / step) + 1):
        value = low + line_of_grid * step
        y = top + PANEL - (value - low) / span * PANEL
        pen.line((LEFT, y, right, y), fill=GRID)
        pen.text((8, y - 6), f"{value:.10g}", fill=INK)
    pen.text((LEFT, top + PANEL + 6), "0 s", fill=INK)
    pen.text((right - 50, top + PANEL + 6), f"{span_ns / NANOS_PER_SECOND:.0f} s", fill=INK)
    for outcome, colour in zip(outcomes, colours, strict=True):
        line = [place(point) for point in outcome.points]
        if len(line) > 1:
            pen.line(line, fill=colour, width=2)


def _scale(low: float, high: float) -> tuple[float, float, float]:
    """A round step and the multiples of it that enclose both values."""
    rough = (high - low) / LINES_OF_GRID or 1.0
    power = 10.0 ** floor(log10(rough))
    step = next(power * nice for nice in ROUND_STEPS if power * nice >= rough * 0.999)
    least, most = floor(low / step), ceil(high / step)
    return step, least * step, max(most, least + 1) * step


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"


def _colour(index: int, count: int) -> str:
    red, green, blue = colorsys.hsv_to_rgb(index / max(1, count), 0.85, 0.75)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
