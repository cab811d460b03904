"""`View`: a table, figure or sentence as it stands on a page, made from released numbers only."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import resources
from inspect import cleandoc, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import pandas as pd

from outcomes.disclosure import Release
from outcomes.disclosure.page_context import find_run_folder
from outcomes.disclosure.released import write_release
from outcomes.errors import DisclosureError, ReportError
from outcomes.facts import read_words
from outcomes.result import write_origin
from outcomes.views.figure import explain_undrawn, find_undrawn_of, save_png
from outcomes.views.released_rows import explain_absence, list_days

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")

#: The only output of a view within a report: an id, to be looked up in the run folder.
MEDIA_TYPE = "application/vnd.outcomes.view+json"
_ID = re.compile(r"[a-z][a-z0-9-]{0,99}")
_ID_PLACE = 'id="{id}"'
#: Columns of a release that say no more than others do.
_NOT_EXPORTED = ("shown", "fate")


@dataclass(frozen=True)
class View:
    """A piece of a page."""

    #: The same for the same content; different for another.
    id: str
    #: ``figure``, ``table``, ``sentence`` or ``title``.
    kind: str
    #: A fragment, every text in it escaped.
    html: str
    #: The figure; None where a reason stands in its place.
    png: bytes | None
    #: What it shows, in words.
    alt: str
    caption: str
    #: The released numbers that it shows, for ``csv`` and ``xlsx``.
    table: pd.DataFrame | None = field(repr=False)
    audience: str
    k: int
    #: What its numbers were made from, as released.
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False)
    #: Those that it was made from; kept privately with a run of a report, for the next one to look back at.
    releases: tuple[Release, ...] = field(default=(), repr=False, compare=False)
    #: Sentences of its text or its caption; one that a page has said is left out of a later caption.
    sentences: tuple[str, ...] = ()
    #: Characters of the figure that no installed font has, drawn as boxes.
    undrawn: str = field(default="", repr=False)
    language: str = "en"

    def save_figure(self, path: str | Path) -> Path:
        """Write the figure as PNG and return where; a folder gets a file named after the view.

        Raises
        ------
        ReportError
            When the view holds no figure.
        """
        if self.png is None:
            raise ReportError(f"The view {self.id!r} holds no figure to save.", exit_code=2)
        path = Path(path)
        path = path / f"{self.id}.png" if path.is_dir() else path
        path.write_bytes(self.png)
        return path

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        folder = find_run_folder()
        if folder is not None:
            write_view(self, folder / "views")
            return {MEDIA_TYPE: {"id": self.id}}
        style = resources.files("outcomes.views").joinpath("view.css").read_text(encoding="utf-8")
        boxes = explain_undrawn(self.undrawn, read_words(self.language))
        said = f"<p>{html.escape(boxes)}</p>" if boxes else ""
        return {
            "text/html": f'<style>{style}</style><div class="outcomes-view">{self.html}{said}</div>',
            "text/plain": self.alt or self.caption,
        }


def write_view(view: View, folder: Path) -> None:
    """Write a view into a folder as ``<id>.json``, with ``<id>.png`` where it is a figure.

    What it was made from is written beside that folder, for the audit of the whole page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for release in view.releases:
        write_release(release, folder.parent)
    content = {**asdict(replace(view, releases=(), provenance={})), "png": view.png is not None}
    content |= {"provenance": dict(view.provenance)}
    del content["releases"]
    content["table"] = None if view.table is None else _write_columns(view.table)
    write = read_words(view.language).write
    (folder / f"{view.id}.json").write_text(
        json.dumps(content, ensure_ascii=False, default=lambda value: str(write(value))), encoding="utf-8"
    )
    if view.png is not None:
        (folder / f"{view.id}.png").write_bytes(view.png)


def _write_columns(table: pd.DataFrame) -> list[tuple[str, str, list[Any]]]:
    """Return name, type and values of each column, missing ones as None."""
    return [
        (str(name), str(column.dtype), column.astype("object").where(column.notna(), None).tolist())
        for name, column in table.items()
    ]


def read_view(folder: Path, id: str) -> View:
    """Read a view back that `write_view` wrote; one that is not there is a ReportError."""
    path = folder / f"{id}.json"
    if not _ID.fullmatch(id) or not path.is_file():
        raise ReportError("A view of the notebook was not found in the run folder.")
    content = json.loads(path.read_text(encoding="utf-8"))
    content["png"] = (folder / f"{id}.png").read_bytes() if content["png"] else None
    content["sentences"] = tuple(content["sentences"])
    if content["table"] is not None:
        content["table"] = pd.DataFrame(
            {name: pd.Series(values, dtype=dtype) for name, dtype, values in content["table"]}
        )
    return View(**content)


def made_from(*analyses: str) -> Callable[[Callable[P, View]], Callable[P, View]]:
    """Document the first parameter of a function that makes a view: a release of one of these analyses."""
    named = " or ".join(f"``{name}``" for name in analyses)

    def document(function: Callable[P, View]) -> Callable[P, View]:
        first = next(iter(signature(function).parameters))
        said = f"Parameters\n----------\n{first} : Release\n    Of the analysis {named}.\n"
        function.__doc__ = f"{cleandoc(function.__doc__ or '')}\n\n{said}"
        return function

    return document


def build_view(
    name: str,
    kind: str,
    releases: Release | tuple[Release, ...],
    fragment: str,
    *,
    alt: str = "",
    sentences: Sequence[str] = (),
    png: bytes | None = None,
    table: pd.DataFrame | None = None,
) -> View:
    """Build a view, its id made of its name, the measure and its content.

    `sentences` are those of its text, or of the caption of a figure or table.
    In the fragment ``id="{id}"`` stands for the view's id; texts, whose quotes are escaped, never hold it.
    Releases for different audiences are never mixed: a DisclosureError.
    """
    releases = releases if isinstance(releases, tuple) else (releases,)
    audiences = {release.audience for release in releases}
    if len(audiences) != 1:
        raise DisclosureError(
            f"A view takes releases for one audience, not {' and '.join(sorted(audiences)) or 'none'}."
        )
    outcomes = [str(value) for release in releases for value in release.table["outcome"].dropna().head(1)]
    slug = re.sub(r"[^a-z0-9]+", "-", "-".join([name, *outcomes[:1]]).lower()).strip("-")
    digest = hashlib.sha256(fragment.encode() + (png or b"") + str(audiences).encode()).hexdigest()[:8]
    id = f"{slug[:80]}-{digest}"
    if table is not None:
        table = table.drop(columns=list(_NOT_EXPORTED), errors="ignore").reset_index(drop=True)
    return View(
        id,
        kind,
        fragment.replace(_ID_PLACE, f'id="{id}"'),
        png,
        alt,
        "" if kind in ("sentence", "title") else " ".join(sentences),
        table,
        audiences.pop(),
        max(release.k for release in releases),
        write_origin(releases[0].origin, releases[0].words),
        releases,
        tuple(sentences),
        language=releases[0].language,
    )


def build_figure_view(
    name: str, release: Release, figure: "Figure", alt: str, caption: str | Sequence[str], table: pd.DataFrame
) -> View:
    """Build the view of a figure, the image within its HTML."""
    png, caption = save_png(figure), list_sentences(caption)
    if days := list_days(table):
        held = release.words.say("release.held.unmarked", days=days)
        alt, caption = " ".join(filter(None, [alt, held])), [*caption, held]
    fragment = embed_png(png, alt, " ".join(caption), ' id="{id}"')
    view = build_view(name, "figure", release, fragment, alt=alt, sentences=caption, png=png, table=table)
    return replace(view, undrawn=find_undrawn_of(figure))


def list_sentences(text: str | Sequence[str]) -> list[str]:
    """Return the sentences of a text that is given as one or as several, those that are empty left out."""
    return [sentence for sentence in ([text] if isinstance(text, str) else text) if sentence]


def embed_png(png: bytes, alt: str, caption: str, attributes: str = "") -> str:
    """Return a picture with its caption as HTML."""
    image = base64.b64encode(png).decode()
    return (
        f'<figure{attributes}><img src="data:image/png;base64,{image}" alt="{html.escape(alt)}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def build_sentence(name: str, release: Release, text: str | Sequence[str], kind: str = "sentence") -> View:
    """Build the view of a paragraph, in which ``**words**`` are bold."""
    sentences = list_sentences(text)
    written = " ".join(sentences)
    fragment, plain = f'<p id="{{id}}">{write_html(written)}</p>', [write_plain(each) for each in sentences]
    return build_view(name, kind, release, fragment, alt=write_plain(written), sentences=plain)


def build_empty_view(
    name: str, kind: str, releases: Release | tuple[Release, ...], reason: str | None = None
) -> View:
    """Build the view that says why there is nothing to show: for this reason, else what the release tells."""
    reason = reason or explain_absence(releases[0] if isinstance(releases, tuple) else releases)
    fragment = f'<p class="empty" id="{{id}}">{html.escape(reason)}</p>'
    return build_view(name, kind, releases, fragment, alt=reason, sentences=[reason])


def write_html(text: str) -> str:
    """Return a text as HTML: escaped, ``**words**`` bold, a number kept with its unit.

    Examples
    --------
    >>> write_html("**9.3 points** less, 75 % <b>")
    '<b>9.3&nbsp;points</b> less, 75&nbsp;% &lt;b&gt;'
    """
    escaped = html.escape(text)
    bold = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escaped)
    return re.sub(r"(?<=\d) (?=%|points?\b|cm\b|mm\b|s\b)", "&nbsp;", bold)


def write_plain(text: str) -> str:
    """Return a text without its marks of emphasis."""
    return re.sub(r"\*\*(.+?)\*\*", r"\1", text)


def escape_emphasis(text: str) -> str:
    """Return a label that holds no marks of emphasis of its own."""
    return text.replace("**", "* *")
