"""What objects look like in notebooks: small tables, curves, and the library's own pages."""

from __future__ import annotations

import html
import math
from typing import Any, Iterable, Mapping, Optional, Sequence, Tuple

_CELL = "text-align:left;padding:2px 12px 2px 0"


def table(title: str, rows: Iterable[Tuple[str, object]]) -> str:
    """Return a table of names and values."""
    lines = [
        f'<tr><th style="{_CELL}">{html.escape(name)}</th>'
        f'<td style="{_CELL}">{html.escape(str(value))}</td></tr>'
        for name, value in rows
    ]
    return f"<table><caption>{html.escape(title)}</caption>{''.join(lines)}</table>"


def page(text: str, height: int = 480) -> str:
    """Return a frame with a page of its own, whose styles and names do not meet the notebook's."""
    return (
        f'<iframe sandbox srcdoc="{html.escape(text)}" width="100%" height="{height}" '
        'style="border:1px solid #ccc"></iframe>')


def curve(title: str, values: Sequence[float], width: int = 480, height: int = 120) -> str:
    """Return a drawing of finite values over steps, from the lowest to the highest."""
    finite = [(index, value) for index, value in enumerate(values) if math.isfinite(value)]
    if len(finite) < 2:
        return ""
    low = min(value for _, value in finite)
    high = max(value for _, value in finite)
    scale = (height - 8) / ((high - low) or 1.0)
    step = width / max(1, len(values) - 1)
    points = " ".join(
        f"{index * step:.1f},{height - 4 - (value - low) * scale:.1f}" for index, value in finite)
    return (
        f"<figure><figcaption>{html.escape(title)}, {low:.4g} to {high:.4g}</figcaption>"
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<polyline fill="none" stroke="currentColor" points="{points}"/></svg></figure>')


def millions(count: int) -> str:
    """Return a number of parameters as people say it."""
    return f"{count / 1e6:.1f} M" if count >= 100_000 else f"{count:,}"


def tower(description: Optional[Mapping[str, Any]]) -> str:
    """Return a tower in a few words, from the library's description of it."""
    if description is None:
        return "none"
    size = (
        f"{description['image_size']} px" if "image_size" in description
        else f"{description['context_length']} tokens")
    return f"{description['kind']}, {size}"
