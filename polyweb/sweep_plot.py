"""The picture of a sweep: profit and inventory over the recording's time, a line for every run.

Law: it draws what the runs said and nothing else; the legend names each run by its number in the table.
"""

import colorsys
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from markets.domain.units import NANOS_PER_SECOND
from polyweb.runtime.attribution import Point
from polyweb.sweeps import Outcome

WIDTH, HEIGHT = 1_200, 800
LEFT, RIGHT, TOP, GAP = 80, 150, 40, 60
PANEL = (HEIGHT - 2 * TOP - GAP) // 2
PAPER, INK, GRID = "#ffffff", "#222222", "#dddddd"
LINES_OF_GRID = 5
MOST_NAMED = 40

Value = Callable[[Point], float]


def draw(outcomes: Sequence[Outcome], path: Path) -> None:
    """Write a PNG. Raises OSError when it cannot be written."""
    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    pen = ImageDraw.Draw(image)
    colours = [_colour(index, len(outcomes)) for index in range(len(outcomes))]
    _panel(pen, TOP, "PnL, pUSD", outcomes, colours, lambda point: point.pnl / 1_000_000)
    _panel(pen, TOP + PANEL + GAP, "inventory, shares", outcomes, colours, lambda point: point.inventory / 1_000_000)
    for index, outcome in enumerate(outcomes[:MOST_NAMED]):
        y = TOP + index * 17
        pen.line((WIDTH - RIGHT + 20, y + 6, WIDTH - RIGHT + 40, y + 6), fill=colours[index], width=3)
        pen.text((WIDTH - RIGHT + 46, y), f"run {outcome.number}", fill=INK)
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
    low, high = min(0.0, *map(of, points)), max(0.0, *map(of, points))
    span_ns, span = max(1, end - begin), (high - low) or 1.0
    right = WIDTH - RIGHT

    def place(point: Point) -> tuple[float, float]:
        return (
            LEFT + (point.at_ns - begin) / span_ns * (right - LEFT),
            top + PANEL - (of(point) - low) / span * PANEL,
        )

    for step in range(LINES_OF_GRID + 1):
        y = top + PANEL - step * PANEL / LINES_OF_GRID
        pen.line((LEFT, y, right, y), fill=GRID)
        pen.text((8, y - 6), f"{low + step * span / LINES_OF_GRID:.2f}", fill=INK)
    pen.text((LEFT, top + PANEL + 6), "0 s", fill=INK)
    pen.text((right - 50, top + PANEL + 6), f"{span_ns / NANOS_PER_SECOND:.0f} s", fill=INK)
    for outcome, colour in zip(outcomes, colours, strict=True):
        line = [place(point) for point in outcome.points]
        if len(line) > 1:
            pen.line(line, fill=colour, width=2)


def _colour(index: int, count: int) -> str:
    red, green, blue = colorsys.hsv_to_rgb(index / max(1, count), 0.85, 0.75)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
