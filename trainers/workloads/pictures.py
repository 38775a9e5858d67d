"""A workload as a picture: what there is to see of it on one sheet.

::

    pages     requests over time │ reuse distance (histogram)      columns    one distribution each: over powers of
              requests a page    │ LRU's misses at every capacity             two, or over the range if it runs on

PNG is the same picture, drawn by cairosvg where that is installed (the extra ``figures``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from trainers.arenas.registry import kind_of
from trainers.workloads.codecs import Column, Columns
from trainers.workloads.errors import WorkloadError
from trainers.workloads.format import Workload
from trainers.workloads.show import MEASURED_MAX, class_name, reuse_distances
from trainers.workloads.svg import Panel, Sheet

__all__ = ["picture", "save_picture"]

WIDTH, PANEL_HEIGHT, HEAD = 960, 280, 48
CELLS = (96, 48)  # of requests over time: times, pages
BINS = 48


def picture(workload: Workload) -> str:
    """Return the picture as SVG; of long workloads the first `MEASURED_MAX` rows."""
    kind = kind_of(workload.kind)
    codec = kind.codec
    words = workload.words[: MEASURED_MAX * codec.width]
    panels = len(codec.columns) if isinstance(codec, Columns) else 4
    sheet = Sheet(WIDTH, HEAD + PANEL_HEIGHT * -(-panels // 2))
    title = f"{workload.name} ({workload.part}): {workload.rows:,} {kind.rows}, {workload.size:,} {kind.size}"
    sheet.text(16, 22, f"{title}, capacity {workload.capacity:,} {kind.capacity.unit}", size=15)
    sheet.text(16, 40, workload.origin[:140])
    if isinstance(codec, Columns):
        for place, column in enumerate(codec.columns):
            _distribution(_panel(sheet, place, f"{column.name}: {column.meaning}"), column, words[place :: codec.width])
    else:
        _pages(sheet, words, workload.capacity)
    return sheet.svg()


def save_picture(workload: Workload, path: Path, *, png: bool = False) -> None:
    """Write the picture. Raises `WorkloadError` where the file cannot be written, or nothing here can make PNG."""
    data = picture(workload).encode()
    try:
        path.write_bytes(_png(data) if png else data)
    except OSError as error:
        raise WorkloadError(f"{path}: {error.strerror or error}") from error


def _png(svg: bytes) -> bytes:
    try:
        import cairosvg  # noqa: PLC0415 — an extra, and slow to import
    except (ImportError, OSError) as error:  # OSError: the cairo library itself is missing
        raise WorkloadError(
            f"no PNG can be made here: {error}",
            hint="--svg works everywhere; or pip install '.[figures]' and libcairo2",
        ) from error
    made: bytes = cairosvg.svg2png(bytestring=svg)
    return made


def _panel(sheet: Sheet, place: int, title: str) -> Panel:
    row, column = divmod(place, 2)
    return sheet.panel(column * WIDTH / 2, HEAD + row * PANEL_HEIGHT, WIDTH / 2, PANEL_HEIGHT, title)


def _pages(sheet: Sheet, words: Sequence[int], capacity: int) -> None:
    size = max(words) + 1
    distances = reuse_distances(list(words))
    again = [distance for distance in distances if distance is not None]

    over_time = _panel(sheet, 0, "requests over time")
    over_time.grid(_grid(words, size))
    over_time.axes("first", f"request {len(words):,}", f"{size:,}", "pages by first appearance, upwards")

    reuse = _panel(sheet, 1, "reuse distance: different pages since the last time")
    _classes(reuse, again, "requests; never before: " + f"{len(distances) - len(again):,}")

    popular = _panel(sheet, 2, "how often pages are asked for")
    _classes(popular, Counter(words).values(), "pages by their number of requests")

    misses = _panel(sheet, 3, "LRU's misses by capacity; the workload's own is marked")
    misses.curve(_miss_curve(again, len(words), size), min(1.0, capacity / size))
    misses.axes("0", f"{size:,} pages", "100 %", "capacity")


def _grid(words: Sequence[int], size: int) -> list[list[int]]:
    wide, high = CELLS
    cells = [[0] * wide for _ in range(high)]
    for at, page in enumerate(words):
        cells[page * high // size][at * wide // len(words)] += 1
    return cells


def _miss_curve(again: Sequence[int], requests: int, size: int) -> list[tuple[float, float]]:
    """Return (share of all pages, share of requests that miss): LRU hits what is nearer than its capacity."""
    at = Counter(again)
    hits, points = 0, [(0.0, 1.0)]
    step = max(1, size // 400)
    for capacity in range(1, size + 1):
        hits += at[capacity - 1]
        if capacity % step == 0 or capacity == size:
            points.append((capacity / size, 1 - hits / requests))
    return points


def _distribution(panel: Panel, column: Column, values: Sequence[int]) -> None:
    """Draw a column: a running one (times) over its range, another by powers of two."""
    if not column.delta:
        _classes(panel, values, f"rows by {column.unit}")
        return
    low, high = min(values), max(values)
    bins = Counter((value - low) * BINS // (high - low + 1) for value in values)
    counts = [bins[place] for place in range(BINS)]
    panel.bars(counts)
    panel.axes(f"{low:,}", f"{high:,}", f"{max(counts):,}", f"rows by {column.unit}")


def _classes(panel: Panel, values: Iterable[int], name: str) -> None:
    """Draw bars by powers of two: 0, 1, 2-3, 4-7 and so on."""
    found = Counter(value.bit_length() for value in values)
    counts = [found[bits] for bits in range(max(found, default=0) + 1)]
    panel.bars(counts, [class_name(bits).partition("-")[0] for bits in range(len(counts))])
    panel.axes("", "", f"{max(counts):,}", name)
