"""A small hand-made dump in MediaWiki's format that holds every trap we know of."""

from __future__ import annotations

import bz2
import sys
from html import escape
from itertools import pairwise
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">
  <siteinfo>
    <sitename>Testpedia</sitename><dbname>testwiki</dbname>
    <base>https://test.example/wiki/Main_Page</base><case>first-letter</case>
    <namespaces>
      <namespace key="0" case="first-letter" />
      <namespace key="1" case="first-letter">Talk</namespace>
      <namespace key="6" case="first-letter">Datei</namespace>
      <namespace key="14" case="first-letter">Kategorie</namespace>
    </namespaces>
  </siteinfo>
"""

ARTICLE = """{{Infobox city
| name = Abel
| image = {{nested|{{deeply|[[File:x.png]]}}}}
}}
'''Abel''' ({{lang-xx|Abél}}; born {{circa}} 900) is a [[city]] on the [[Sky Lake|lake of the sky]],
{{convert|12|km}} from [[bela#History|Bela]].<ref>A [[source]], p. 3</ref><ref name="b" />
<!-- a [[hidden]] remark -->
[[File:Abel.jpg|thumb|A view of [[Abel]]]][[Datei:Abel2.jpg|mini|noch eine]]
== Trade ==
{| class="wikitable"
|-
! Good !! Price
|-
| Salt ||
{| inner
| deep
|}
|}
* [[Salt]] is sold.
; Fish : is not &amp; never was.
=== Detail ===
It lasted 5&nbsp;<math>x^2</math> days.
== See also ==
* [[Nothing to see]]
== References ==
{{reflist}}
[[Category:Cities]][[Kategorie:Orte]][[de:Abel]][[:Category:Shown]]
"""


def page(
    title: str, text: str, number: int, namespace: int = 0, redirect: str | None = None
) -> str:
    mark = f'<redirect title="{escape(redirect)}" />' if redirect else ""
    return (
        f"  <page>\n    <title>{escape(title)}</title>\n    <ns>{namespace}</ns>\n"
        f"    <id>{number}</id>\n    {mark}<revision><id>9{number}</id>"
        f'<text xml:space="preserve">{escape(text)}</text></revision>\n  </page>\n'
    )


PAGES = (
    page("Abel", ARTICLE, 1),
    page("Abell", "#REDIRECT [[Abel]]", 2, redirect="Abel"),
    page("Gone", "#REDIRECT [[Nowhere at all]]", 3, redirect="Nowhere at all"),
    page("Talk:Abel", "I like [[Abel]].", 4, namespace=1),
    page("Unclosed", "{{Infobox\n| a = b\n\n'''Unclosed''' is [[a thing that [[works]].", 5),
    page("Empty", "", 6),
    page("Only a table", "{|\n| x\n|}", 7),
    "  <page>\n    <title>Broken & unescaped</title><ns>0</ns><id>8</id>\n  </page>\n",
    "  <page><ns>0</ns><id>9</id><revision><text>No title</text></revision></page>\n",
    "  <page><title>Entity</title><revision><text>&lol9;</text></revision></page>\n",
    page("Hostile", "{{a|[[b|<div>" * 4_000 + "\n\n" + "word " * 1000, 11),
    page("Old form", "#redirect[[abel#Trade]]", 13),
    page("Bela", "'''Bela''' lies on the [[river]] {{snd}} " + "and on and on " * 50, 14),
)


@pytest.fixture
def article() -> str:
    """Wikitext with every kind of markup."""
    return ARTICLE


@pytest.fixture(scope="session")
def dump_text() -> str:
    return HEAD + "".join(PAGES) + "</mediawiki>\n"


@pytest.fixture(scope="session")
def dump(dump_text: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dump as a multistream file: one bzip2 stream for the head and one for each part."""
    path = tmp_path_factory.mktemp("dump") / "testwiki-pages-articles-multistream.xml.bz2"
    data = dump_text.encode()
    cuts = [0, data.index(b"<page>"), data.index(b"Unclosed"), len(data)]
    parts = (data[a:b] for a, b in pairwise(cuts))
    path.write_bytes(b"".join(bz2.compress(part, 1) for part in parts))
    return path
