"""Plain text tables for the commands: columns as wide as their widest cell, numbers to the right."""

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    numeric = [
        bool(rows) and all(row[i].replace(".", "", 1).replace("-", "", 1).isdigit() or not row[i] for row in rows)
        for i in range(len(head))
    ]
    lines = []
    for row in (head, *rows):
        cells = zip(row, widths, numeric, strict=True)
        lines.append("  ".join(c.rjust(w) if right else c.ljust(w) for c, w, right in cells).rstrip())
    return "\n".join(lines)
