"""The contact sheet: one HTML file that needs nothing from elsewhere, or, for a large album, a folder of thumbnails."""

from __future__ import annotations

import base64
import html
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass

from edge_facenet.schema import doc

from .album import Album
from .grouping import Group, Grouping

INLINE = 1000
"""Up to so many faces the thumbnails stand in the page itself, about 4 MB."""
_CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data: file: 'self'"


@dataclass(frozen=True)
class Sheet:
    """What the page shows."""

    title: str = doc("name of the album")
    album: Album = doc("photos and faces")
    grouping: Grouping = doc("who belongs together")
    labels: tuple[str, ...] = doc("per group, its folder: person-001")
    names: tuple[str | None, ...] = doc("per group, the person's name in a gallery")
    links: dict[tuple[int, int], str] = doc("(group, photo) -> its place below the page")
    network: str = doc("what made the embeddings")


def pages(sheet: Sheet) -> dict[str, bytes]:
    """`index.html` and, for a large album, its thumbnails, by path."""
    faces = sheet.album.faces
    inline = len(faces) <= INLINE
    sources = [_data(face.thumb) if inline else f"thumbs/{k:06d}.jpg" for k, face in enumerate(faces)]
    found = {} if inline else {source: face.thumb for source, face in zip(sources, faces, strict=True)}
    return {"index.html": _document(sheet, sources).encode("utf-8"), **found}


def _document(sheet: Sheet, sources: list[str]) -> str:
    groups = sheet.grouping.groups
    body = [
        _header(sheet),
        *(_group(sheet, sources, number) for number in range(len(groups))),
        _alone(sheet, sources),
        _rejected(sheet),
        _footer(sheet),
    ]
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{shown(sheet.title)} by person</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_CSP}">\n<meta name="referrer" content="no-referrer">\n'
        f"<style>{_STYLE}</style>\n<body>\n" + "\n".join(part for part in body if part) + "\n</body>\n</html>\n"
    )


def _header(sheet: Sheet) -> str:
    album, grouping = sheet.album, sheet.grouping
    doubtful = sum(_doubtful(sheet, one) for one in grouping.groups)
    facts = [
        (count(len(grouping.groups), "group"), "of two faces or more"),
        (count(len(album.faces), "face"), f"in {count(len(album.shots), 'photo')}"),
        (count(len(grouping.alone), "face"), "left alone"),
        (count(len(album.rejected), "file"), "without a usable face"),
    ]
    cells = "".join(f"<li><b>{html.escape(what)}</b><span>{html.escape(more)}</span></li>" for what, more in facts)
    check = (
        f'<p class="doubt">{count(doubtful, "group holds", "groups hold")} two faces that are hardly alike. Look at their '
        "marked pairs first.</p>"
        if doubtful
        else ""
    )
    return f'<header><h1>{shown(sheet.title)}</h1><ul class="facts">{cells}</ul>{check}</header>'


def _group(sheet: Sheet, sources: list[str], number: int) -> str:
    one, label, name = sheet.grouping.groups[number], sheet.labels[number], sheet.names[number]
    figures = "".join(_figure(sheet, sources, face, number) for face in one.members)
    title = f"{shown(name)} <small>{label}</small>" if name else label
    photos = len({sheet.album.faces[face].shot for face in one.members})
    size = count(len(one.members), "face") + ("" if photos == len(one.members) else f" in {count(photos, 'photo')}")
    return (
        f'<section id="{label}"><div class="head"><h2>{title}</h2><span>{size}</span>{_widest(sheet, sources, one)}</div>'
        f'<div class="faces">{figures}</div></section>'
    )


def _doubtful(sheet: Sheet, one: Group) -> bool:
    return one.widest[2] <= sheet.grouping.threshold.doubt


def _widest(sheet: Sheet, sources: list[str], one: Group) -> str:
    """The pair that is least alike, to look at first."""
    a, b, cosine = one.widest
    pair = "".join(
        f'<img src="{sources[k]}" alt="{_alt(sheet, k)}" title="{_alt(sheet, k)}" width="40" height="40" loading="lazy">'
        for k in (a, b)
    )
    doubtful = _doubtful(sheet, one)
    words = "Hardly alike, look here" if doubtful else "Least alike"
    return f'<p class="{"pair doubt" if doubtful else "pair"}">{pair}<span>{words}: similarity {cosine:.2f}</span></p>'


def _figure(sheet: Sheet, sources: list[str], face: int, group: int | None) -> str:
    about = sheet.album.faces[face]
    name = sheet.album.shots[about.shot].name
    reasons = "; ".join(about.reasons)
    title = _alt(sheet, face) + (f" ({html.escape(reasons)})" if reasons else "")
    image = f'<img src="{sources[face]}" alt="{_alt(sheet, face)}" width="96" height="96" loading="lazy">'
    if group is not None:
        image = f'<a href="{_href(sheet.links[group, about.shot])}">{image}</a>'
    poor = f"<em>{html.escape(about.reasons[0].split(':')[0])}</em>" if about.reasons else ""
    return f'<figure title="{title}">{image}<figcaption><span>{shown(name.rsplit("/", 1)[-1])}</span>{poor}</figcaption></figure>'


def _alt(sheet: Sheet, face: int) -> str:
    about = sheet.album.faces[face]
    which = f", face {about.number}" if about.number > 1 else ""
    return shown(sheet.album.shots[about.shot].name) + which


def _alone(sheet: Sheet, sources: list[str]) -> str:
    alone = sheet.grouping.alone
    if not alone:
        return ""
    figures = "".join(_figure(sheet, sources, face, None) for face in alone)
    return (
        f'<section id="alone"><div class="head"><h2>Left alone</h2><span>{count(len(alone), "face")}</span></div><p>Nobody '
        f'else here is surely the same person. These photos stay where they are.</p><div class="faces">{figures}</div></section>'
    )


def _rejected(sheet: Sheet) -> str:
    rejected = sheet.album.rejected
    if not rejected:
        return ""
    rows = "".join(f"<tr><td>{shown(one.photo)}</td><td>{shown(one.reason)}</td></tr>" for one in rejected)
    return (
        f'<section id="rejected"><details{" open" if len(rejected) <= 20 else ""}><summary><h2>Without a usable face</h2> <span>'
        f"{count(len(rejected), 'file')}</span></summary><table><tbody>{rows}</tbody></table></details></section>"
    )


def _footer(sheet: Sheet) -> str:
    limit = sheet.grouping.threshold
    notes = "".join(f"<p>{shown(note)}</p>" for note in sheet.album.notes)
    return (
        f"<footer><p>Two groups of faces are taken for one person above a similarity of {limit.cosine:.3f} "
        f"({html.escape(limit.why)}). No two faces of a group are at {limit.floor:.3f} or less; a pair at {limit.doubt:.3f} or "
        f"less is marked. Network {shown(sheet.network)}. The photos lie in the folders beside this page; the originals were "
        f"not touched.</p>{notes}</footer>"
    )


def count(number: int, one: str, many: str = "") -> str:
    """ "1 face", "2 faces"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def shown(name: str) -> str:
    """Any file name as HTML text: what cannot be seen, or would turn the line around, stands as an escape.

    >>> shown("a<b>\\n.jpg")
    'a&lt;b&gt;\\\\n.jpg'
    """
    return html.escape("".join(c if c.isprintable() else ascii(c)[1:-1] for c in name))


def _href(path: str) -> str:
    return html.escape(urllib.parse.quote(path.encode("utf-8", "surrogateescape")))


def _data(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def _lines(parts: Iterable[str]) -> str:
    return "".join(part.strip() for part in parts)


_STYLE = _lines(
    """
    :root{color-scheme:light dark;--back:#fbfaf8;--card:#fff;--ink:#1d1c1a;--soft:#6a665f;--line:#e3dfd8;--mark:#a33b00;
    --tint:#fff1e6}
    @media (prefers-color-scheme:dark){:root{--back:#161513;--card:#201f1c;--ink:#ece9e3;--soft:#a39e95;--line:#37342f;
    --mark:#ff9d5c;--tint:#3a2415}}
    *{box-sizing:border-box}
    body{margin:0 auto;padding:24px 16px 48px;max-width:1240px;background:var(--back);color:var(--ink);
    font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif}
    h1{font-size:28px;line-height:1.2;margin:0 0 16px;overflow-wrap:anywhere}
    h2{font-size:18px;line-height:1.3;margin:0;overflow-wrap:anywhere;min-width:0}
    h2 small{font-weight:400;color:var(--soft);font-size:14px}
    .head{display:flex;flex-wrap:wrap;align-items:center;gap:4px 12px;margin:0 0 12px}
    .head>span,summary span,section>p{color:var(--soft);font-size:14px}
    section>p{margin:-8px 0 12px}
    .facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:8px;list-style:none;margin:0 0 16px;
    padding:0}
    .facts li,section{background:var(--card);border:1px solid var(--line);border-radius:10px}
    .facts li{padding:10px 14px}
    .facts b,.facts span{display:block}
    .facts span{color:var(--soft);font-size:14px}
    section{padding:14px 16px;margin:0 0 14px;content-visibility:auto;contain-intrinsic-size:auto 240px}
    .faces{display:grid;grid-template-columns:repeat(auto-fill,minmax(92px,1fr));gap:10px 8px}
    figure{margin:0;min-width:0}
    img{display:block;background:var(--line);border-radius:6px}
    figure img{width:100%;height:auto;aspect-ratio:1;object-fit:cover}
    a{display:block;border-radius:6px}
    a:focus-visible,summary:focus-visible{outline:3px solid var(--mark);outline-offset:2px}
    figcaption{font-size:12px;line-height:1.3;color:var(--soft);margin-top:3px;overflow-wrap:anywhere}
    figcaption span{display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:2;overflow:hidden}
    figcaption em{display:block;font-style:normal;color:var(--mark)}
    .pair{display:flex;align-items:center;gap:4px;margin:0 0 0 auto;font-size:14px;color:var(--soft)}
    .pair span{order:-1;margin-right:6px}
    .pair.doubt,header .doubt{color:var(--mark)}
    header .doubt{background:var(--tint);border-radius:10px;padding:10px 14px;margin:0 0 16px}
    summary{cursor:pointer}
    summary h2{display:inline}
    table{width:100%;border-collapse:collapse;margin-top:10px;font-size:14px;table-layout:fixed}
    td{border-top:1px solid var(--line);padding:6px 8px 6px 0;vertical-align:top;overflow-wrap:anywhere}
    td:first-child{width:38%}
    @media (max-width:560px){body{padding:16px 12px 40px}.pair{margin-left:0;width:100%}}
    footer{color:var(--soft);font-size:13px;overflow-wrap:anywhere}
    """.splitlines()
)
