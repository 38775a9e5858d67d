"""The figures of a report: facts in, drawings out, each as SVG for the page and as SVG and PNG for a file.

::

    wins ─────▶ wins-KIND       each hidden workload between the best classic and the bound   `workloads`
    lineages ─▶ lineage-KIND    how the best of each came about                               `workloads`
    help ─────▶ helped-KIND     matrices of givers by takers                                  `helped`
    impact ───▶ impact          the experiment's effects with intervals                       `impact`
                observed        what was accepted of one author and of several                `impact`
    items ────▶ items           programs by those who built on them                           `helped`

Colours are Okabe and Ito's, which colour-blind eyes tell apart, and nothing is told by colour alone. Letters are paths:
a drawing needs no font and no other file. What nodes wrote is never read as mathematics, and signs that the font has
not are shown as a question mark. The same facts give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl

from mqtt_hub.report.figures.helped import draw_helped, draw_items
from mqtt_hub.report.figures.impact import draw_effects, draw_observed
from mqtt_hub.report.figures.sheet import STYLE, Drawing
from mqtt_hub.report.figures.workloads import draw_lineages, draw_wins

__all__ = ["Drawing", "draw"]


def draw(facts: Mapping[str, Any]) -> list[Drawing]:
    """Return the drawings for which there is something to draw, in the order of the page."""
    kinds, impact = facts["wins"]["kinds"], facts["impact"]
    lineages = {
        kind["kind"]: [row for row in facts["lineages"]["rows"] if row["kind"] == kind["kind"]] for kind in kinds
    }
    with mpl.rc_context(STYLE):
        drawn = [
            *(draw_wins(kind) for kind in kinds),
            *(draw_lineages(kind, rows) for kind, rows in lineages.items()),
            *(draw_helped(kind) for kind in facts["help"]["kinds"]),
            draw_effects(impact["experiment"]) if impact["experiment"] else None,
            draw_observed(impact["observed"]),
            draw_items(facts["items"]["programs"]["rows"]),
        ]
        drawings = [drawing for drawing in drawn if drawing is not None]
        for drawing in drawings:  # laid out once: done again for the next format it would come out a little different
            layout = drawing.figure.get_layout_engine()
            if layout is not None:
                layout.execute(drawing.figure)
            drawing.figure.set_layout_engine("none")
    return drawings
