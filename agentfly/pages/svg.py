"""Fitting matplotlib's SVG into a page: colours and letters of the page's style sheet, ids of its own, a text alternative."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from agentfly.pages.text import visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, FAINT = "#010101", "#020202"
SERIES = ("#040404", "#050505", "#060606")
"""Colours to draw with, each for a variable of the style sheet."""
_VARIABLES = dict(zip((INK, FAINT, *SERIES), ("ink", "faint", "one", "two", "three"), strict=True))
_SPACE, _LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # letters stay letters: to be searched, copied and read aloud
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "font.family": "sans-serif",
    "font.size": 10.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": FAINT,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.0,
}
"""Matplotlib's settings under which a figure must be drawn."""


def fitted(figure: Figure, name: str, alt: str) -> str:
    """A figure as SVG that can stand in an HTML page beside others.

    Args:
        figure: drawn under `STYLE`.
        name: goes before each id, so that no other plot of the page has the same.
        alt: what it says to who does not see it.
    """
    out = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))  # no metadata
    figure.savefig(out, format="svg", transparent=True, metadata=nothing)
    root = ElementTree.fromstring(out.getvalue().encode())  # noqa: S314  matplotlib wrote it
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in (f"{_SPACE}style", f"{_SPACE}metadata")]:
            parent.remove(child)
    for element in root.iter():
        _fit(element, name)
    for attribute in ("width", "height"):  # the page gives the width
        root.attrib.pop(attribute, None)
    root.attrib.update({"role": "img", "aria-label": visible(alt), "xmlns": "http://www.w3.org/2000/svg"})
    return ElementTree.tostring(root, encoding="unicode")


def _fit(element: ElementTree.Element, name: str) -> None:
    element.tag = element.tag.removeprefix(_SPACE)
    have = element.attrib
    if "id" in have:
        have["id"] = f"{name}-{have['id']}"
    if _LINK in have:
        have["href"] = f"#{name}-{have.pop(_LINK).removeprefix('#')}"
    if "clip-path" in have:
        have["clip-path"] = have["clip-path"].replace("url(#", f"url(#{name}-")
    if "style" in have:
        style = re.sub(r"font-family:[^;]*;? ?", "", have["style"])
        have["style"] = re.sub("#0[1-6]0[1-6]0[1-6]", lambda found: f"var(--{_VARIABLES[found[0]]})", style)
