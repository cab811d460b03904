"""Texts that act: as a part of a page, as a formula of a spreadsheet, or as a path; and pages held
harmless."""

from __future__ import annotations

from pathlib import Path

import html5lib

ACTING = (
    "<script>alert('P00017-SECRET')</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>",
    "<a href=javascript:alert(1)>x</a>", "<iframe src=https://example.org></iframe>",
    "<link rel=stylesheet href=https://example.org/a.css>", "<style>body{background:url(https://example.org)}</style>",
    "<meta http-equiv=refresh content='0;url=https://example.org'>", "<object data=https://example.org></object>",
    "<form action=https://example.org><button>x</button></form>", "<base href=https://example.org>",
    "<div style='background:url(https://example.org/a.png)'>x</div>",
    "<video src=https://example.org onerror=alert(1)>",
    "<details ontoggle=alert(1) open>x</details>", "<math><a xlink:href=javascript:alert(1)>x</a></math>",
    "\"><script>alert(1)</script>", "'-alert(1)-'", "{{ 7 * 191 }}", "{% raw %}", "<!-- P00017-SECRET -->",
    "</title><script>alert(1)</script>", "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
)  # fmt: skip

#: More of them, short enough for the name of a site: as patterns of filters that are known to fail.
SHORT_ACTING = (
    *ACTING,
    "<ScRiPt>alert(1)</sCrIpT>",
    "<img/src=x/onerror=alert(1)//",
    "<svg><script>alert(1)</script></svg>",
    "<body onload=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<marquee onstart=alert(1)>",
    "<select onfocus=alert(1) autofocus>",
    "<textarea onfocus=alert(1) autofocus>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "<a href='data:text/html,x'>x</a>",
    "<img src='https://example.org/p.png'>",
    "<embed src=https://example.org>",
    "<table background=https://example.org>",
    "<p style=behavior:url(x)>",
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "<script\x0b>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "--><script>alert(1)</script>",
    "]]><script>alert(1)</script>",
    "<svg><animate onbegin=alert(1)>",
    "<x onclick=alert(1)>x</x>",
    "`${alert(1)}`",
)

FORMULAS = (
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "|calc",
    "＝1+1",
    "＋1",
    "－1+1",
    "＠A1",
    '=HYPERLINK("https://example.org","x")',
    "=cmd|' /C calc'!A0",
)

FORBIDDEN = {"script", "iframe", "object", "embed", "form", "base", "svg", "math", "video", "link"}


def parse_page(page: Path):
    """Parse a page as a browser does."""
    return html5lib.parse(page.read_text(encoding="utf-8"), namespaceHTMLElements=False)


def assert_harmless(page: Path) -> None:
    """A page holds no element or attribute that acts, and no address but those a reader may follow."""
    tree = parse_page(page)
    for element in tree.iter():
        assert element.tag not in FORBIDDEN
        for name, value in element.attrib.items():
            assert not name.startswith("on"), f"{element.tag} {name}"
            assert name in {"href", "content", "alt", "aria-label"} or "example.org" not in value
            if name == "href":
                assert value.startswith(("#", "https://"))
            if name == "src":
                assert value.startswith("data:image/png;base64,")
    assert [meta.attrib["http-equiv"] for meta in tree.iter("meta") if "http-equiv" in meta.attrib] == [
        "Content-Security-Policy"
    ]
