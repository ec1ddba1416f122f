"""Numbers on hover: what a mark in an SVG stands for, as its title."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SVG = "http://www.w3.org/2000/svg"


def to_svg(figure: Figure, titles: dict[str, list[str]]) -> str:
    """An SVG to be put into a page; `titles`: id of a scatter (its gid) -> a title for each of its points."""
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    root = ElementTree.fromstring("".join(buffer.getvalue().partition("<svg")[1:]))  # without the prologue
    for group in root.iter(f"{{{SVG}}}g"):
        for mark, text in zip(group.iter(f"{{{SVG}}}use"), titles.get(group.get("id", ""), []), strict=False):
            ElementTree.SubElement(mark, f"{{{SVG}}}title").text = text
    root.set("style", f"max-width: {figure.get_figwidth():.1f}in")
    for attribute in ("width", "height"):  # as narrow as the page; the viewBox keeps the shape
        root.attrib.pop(attribute, None)
    return ElementTree.tostring(root, encoding="unicode")
