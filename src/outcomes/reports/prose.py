"""Markdown of notebooks and fragments of views as HTML that holds no script, no address and no surprise."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import nh3

from outcomes.facts import Words, read_words

if TYPE_CHECKING:
    from nbformat import NotebookNode

_PROSE = {
    "p", "ul", "ol", "li", "em", "strong", "b", "i", "code", "blockquote", "br", "hr", "sub", "sup",
    "h3", "h4", "a", "dl", "dt", "dd",
}  # fmt: skip
_TABLE = {"table", "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "th", "td"}
_FRAGMENT = _PROSE | _TABLE | {"div", "span", "abbr", "small", "section", "details", "summary"}
_TABLE_ATTRIBUTES = {"scope", "colspan", "rowspan"}  # "headers" would name ids, which are dropped
_STYLES = {"text-align", "width", "color", "background-color", "font-weight", "padding-left", "white-space"}
_HEADING = re.compile(r"^(#{1,2})[ \t]+(.+?)[ \t#]*$")
_FENCE = re.compile(r"^[ \t]*(```|~~~)")


def translate_cell(report: str, cell: "NotebookNode", words: Words) -> str:
    """Return the prose of a notebook's Markdown cell in the language of the page.

    The cell's id is its key in the catalogue. What somebody wrote into a notebook of their own stays.
    """
    english = read_words("en").list(f"notebooks.{report}").get(str(cell.get("id")))
    if cell.source != english:
        return str(cell.source)
    return str(words.list(f"notebooks.{report}").get(cell.id, english))


def render_prose(markdown: str) -> str:
    """Return Markdown as HTML through an allow-list.

    Scripts, styles, images, event handlers and addresses other than ``https`` and places on the page are
    dropped with their content.

    Examples
    --------
    >>> render_prose("Hurts *less*.<script>alert(1)</script>")
    '<p>Hurts <em>less</em>.</p>\\n'
    """
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    renderer = IPythonRenderer(escape=False, exclude_anchor_links=True)
    return _clean(MarkdownWithMath(renderer=renderer).render(markdown), _PROSE | _TABLE)


def render_fragment(fragment: str) -> str:
    """Return a view's HTML through an allow-list: tables and text, no script, no style sheet, no image.

    Examples
    --------
    >>> render_fragment('<td onclick="x()" style="text-align:right;position:fixed">5</td>')
    '5'
    >>> render_fragment('<table><tr><td style="text-align:right;position:fixed">5</td></tr></table>')
    '<table><tbody><tr><td style="text-align:right">5</td></tr></tbody></table>'
    """
    return _clean(fragment, _FRAGMENT)


def split_sections(markdown: str) -> Iterator[tuple[int, str, str]]:
    """Yield level (0 before any heading, 1, 2), heading and the Markdown below it, in order.

    Examples
    --------
    >>> list(split_sections("# Title\\nFor all.\\n## Answer\\nYes."))
    [(1, 'Title', 'For all.'), (2, 'Answer', 'Yes.')]
    """
    level, heading, lines, fenced = 0, "", list[str](), False
    for line in markdown.splitlines():
        fenced ^= bool(_FENCE.match(line))
        match = None if fenced else _HEADING.match(line)
        if not match:
            lines.append(line)
            continue
        if heading or any(lines):
            yield level, heading, "\n".join(lines)
        level, heading, lines = len(match[1]), match[2], []
    yield level, heading, "\n".join(lines)


def _clean(html: str, tags: set[str]) -> str:
    attributes = {tag: _TABLE_ATTRIBUTES | {"class", "style"} for tag in tags & _TABLE}
    attributes |= {tag: {"class"} for tag in tags & {"div", "span", "p", "ul", "dl", "section", "small"}}
    attributes |= {"a": {"href"}, "abbr": {"title"}}
    return nh3.clean(
        html,
        tags=tags,
        clean_content_tags={"script", "style", "iframe", "object", "svg", "math", "template", "noscript"},
        attributes=attributes,
        attribute_filter=_keep_attribute,
        url_schemes={"https"},
        link_rel="noopener noreferrer",
        filter_style_properties=_STYLES,
        strip_comments=True,
    )


def _keep_attribute(tag: str, attribute: str, value: str) -> str | None:
    # nh3's schemes say nothing about relative addresses, which would name files beside the page
    return None if attribute == "href" and not value.startswith(("#", "https://")) else value
