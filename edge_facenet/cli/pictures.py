"""Pages with crops in them: one file, no script, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
import html
from pathlib import Path

import numpy as np

from .. import files
from ..photos.cropset import CropSet
from .verify_select import Selection
from .verifying import Measured

QUALITY = 80  # of the JPEGs in a page
WORST = 30  # pairs of each kind
STYLE = """
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:1.5rem auto;max-width:70rem;padding:0 1rem}
table{border-collapse:collapse;width:100%}td,th{padding:.4rem;vertical-align:top;text-align:left;border-top:1px solid #8886}
td{overflow-wrap:anywhere}img{width:64px;height:64px;border-radius:4px;margin:1px}
.large img,.cards .one img{width:112px;height:112px}small{opacity:.75}.wide{overflow-x:auto}
@media(max-width:40rem){.cards thead{display:none}.cards tbody,.cards tr,.cards td{display:block;border:0}
.cards tr{border-top:1px solid #8886;padding:.5rem 0}.cards td{padding:.2rem 0}
.cards td::before{content:attr(data-title);display:block;font-size:.8rem;opacity:.75}}
"""


def page(title: str, body: str) -> bytes:
    """A whole page; `body` is HTML, `title` is text."""
    name = html.escape(title)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{name}</title><style>{STYLE}</style><h1>{name}</h1>{body}</html>"
    ).encode("utf-8", "backslashreplace")


def picture(cropset: CropSet, row: int, what: str) -> str:
    """A crop as an image in the page."""
    import cv2

    crop = cropset.cut([row], 112)[0]
    coded = cv2.imencode(".jpg", crop[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    text = base64.b64encode(coded.tobytes()).decode("ascii")
    return f'<img alt="{html.escape(what, quote=True)}" src="data:image/jpeg;base64,{text}">'


def worst_pairs(path: Path, cropset: CropSet, chosen: Selection, measured: Measured) -> None:
    """The pairs a network is most wrong about: one person with the lowest scores, two people with the highest."""
    same, scores = measured.pairs.same, np.nan_to_num(measured.scores, nan=-1.0)
    genuine = np.flatnonzero(same)[np.argsort(scores[same], kind="stable")][:WORST]
    impostor = np.flatnonzero(~same)[np.argsort(-scores[~same], kind="stable")][:WORST]
    parts = [
        f"<p>{html.escape(measured.report.artifact)}, {html.escape(chosen.described)}. These are pictures of the people in the "
        "crop set: keep the page as you keep their photos.</p>"
    ]
    for title, places in (("One person, least alike", genuine), ("Two people, most alike", impostor)):
        rows = "".join(_pair(cropset, chosen, measured, int(k)) for k in places)
        parts.append(f"<h2>{title}</h2><div class='wide large'><table>{rows}</table></div>")
    files.write_bytes(path, page("Worst pairs", "".join(parts)), private=True)


def _pair(cropset: CropSet, chosen: Selection, measured: Measured, place: int) -> str:
    cells = []
    for side in (measured.pairs.a, measured.pairs.b):
        row = int(chosen.rows[side[place]])
        source = html.escape(cropset.rows[row].source)
        cells.append(f"<td>{picture(cropset, row, 'face')}<br><small>{source}</small></td>")
    return f"<tr>{''.join(cells)}<td>cosine {measured.scores[place]:.3f}</td></tr>"
