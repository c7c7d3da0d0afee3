"""Large corpora by name and address, from a hub and a dump site on the loopback."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fileserver import Site, answers, breaks_off, corrupts, serving

from asl_env.corpora import large
from asl_env.corpora.build import build_store
from asl_env.corpora.catalog import FileCorpus, open_corpus
from asl_env.corpora.checksums import Checksum
from asl_env.corpora.errors import CorpusError
from asl_env.corpora.places import HOME_VARIABLE
from asl_env.corpora.sources import Address, HubFile, SummedFile
from asl_env.corpora.transfer import Patience, Transfer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HUB = "/datasets/PeterJinGo/wiki-18-corpus/resolve/{}/wiki-18.jsonl.gz"
WIKI_18 = gzip.compress(
    "".join(
        json.dumps({"id": str(n), "contents": f'"Title {n}"\nText number {n}.'}) + "\n"
        for n in range(3000)
    ).encode(),
    mtime=0,
)
PSGS = gzip.compress(b'id\ttext\ttitle\n1\t"Aaron is ""old""."\tAaron\n2\tBela is new.\tBela\n')
PAGE = (
    "<page><title>{0}</title><ns>0</ns><id>1</id><revision><text>{0} is.</text></revision></page>"
)
DUMP = b"".join(
    bz2.compress(part) for part in (b"<mediawiki>", PAGE.format("A").encode(), b"</mediawiki>")
)
QUICK = Transfer(patience=Patience(tries=2, pause=0, longest=1, silence=5))


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A hub and a web server in one, asked instead of the real ones."""
    with serving() as site:
        monkeypatch.setenv("HF_ENDPOINT", site.url)
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield site


def serve_hub(site: Site, content: bytes = WIKI_18) -> None:
    for revision in ("main", COMMIT):
        site.files[HUB.format(revision)] = content
        site.headers[HUB.format(revision)] = {
            "X-Repo-Commit": COMMIT,
            "X-Linked-Etag": f'"{hashlib.sha256(WIKI_18).hexdigest()}"',
            "X-Linked-Size": str(len(WIKI_18)),
        }


def serve_dump(site: Site, monkeypatch: pytest.MonkeyPatch, day: str = "20260801") -> str:
    """Puts a dump of a wiki on the site, and returns its path."""
    path = f"/simplewiki/{day}/simplewiki-{day}-pages-articles-multistream.xml.bz2"
    latest = "/simplewiki/latest/simplewiki-latest"
    sums = f"{hashlib.sha1(DUMP).hexdigest()}  {path.rpartition('/')[2]}\n"
    site.files |= {path: DUMP, f"{latest}-sha1sums.txt": sums.encode()}
    put(
        monkeypatch,
        "simplewiki",
        SummedFile(
            f"{site.url}{latest}-pages-articles-multistream.xml.bz2",
            f"{site.url}{latest}-sha1sums.txt",
        ),
    )
    return path


def put(monkeypatch: pytest.MonkeyPatch, name: str, source: Address | SummedFile) -> None:
    moved = replace(large.LARGE[name], source=source)
    monkeypatch.setattr(large, "LARGE", {**large.LARGE, name: moved})


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_the_hub_is_asked_for_commit_size_and_checksum(site: Site, home: Path) -> None:
    serve_hub(site)
    folder = large.get("wiki-18", transfer=QUICK)
    assert folder == home / "corpora" / "wiki-18"
    assert [entry[:2] for entry in site.log] == [
        ("HEAD", HUB.format("main")),
        ("GET", HUB.format(COMMIT)),
    ]
    assert site.sent[1]["authorization"] == "Bearer hf_secret"
    assert files(home) == [
        f"corpora/wiki-18/{name}" for name in ("ATTRIBUTION", "fetched.json", "wiki-18.jsonl.gz")
    ]
    record = json.loads((folder / "fetched.json").read_text())
    assert record["checksum"] == f"sha256:{hashlib.sha256(WIKI_18).hexdigest()}"
    assert "hf_secret" not in (folder / "fetched.json").read_text()


def test_a_fetched_corpus_is_opened_and_built_by_its_name(site: Site, tmp_path: Path) -> None:
    serve_hub(site)
    large.get("wiki-18", transfer=QUICK)
    corpus = open_corpus("wiki-18")
    assert isinstance(corpus, FileCorpus)
    assert (corpus.format, corpus.name) == ("wiki18", "wiki-18")
    assert "Creative Commons" in corpus.attribution
    with build_store("wiki-18", tmp_path / "s").store as store:
        assert store.count == 3000
        assert store[7] == ("7", "Title 7", "Text number 7.")


def test_a_broken_download_from_the_hub_goes_on(site: Site) -> None:
    serve_hub(site)
    site.faults = [breaks_off(5_000), answers(503), answers(503)]
    with pytest.raises(CorpusError, match="5 kB are kept"):
        large.get("wiki-18", transfer=QUICK)
    site.log.clear()
    large.get("wiki-18", transfer=QUICK)
    assert site.log[-1][2] == "bytes=5000-"


def test_a_corrupt_file_of_the_hub_is_refused(site: Site, home: Path) -> None:
    serve_hub(site)
    site.faults = [corrupts(3_000)]
    with pytest.raises(CorpusError, match="it was thrown away, run the same command"):
        large.get("wiki-18", transfer=QUICK)
    assert not (home / "corpora" / "wiki-18").exists()
    large.get("wiki-18", transfer=QUICK)
    assert large.is_there("wiki-18")


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"X-Error-Code": "RepoNotFound"}, "is not there; was it moved or renamed"),
        ({"X-Error-Code": "EntryNotFound"}, "is not there; was it moved or renamed"),
        ({"X-Error-Code": "GatedRepo"}, "wants its terms accepted: .* `hf auth login`"),
        ({}, r"the hub cannot be asked for wiki-18.jsonl.gz \(.*; try again later"),
    ],
)
def test_a_hub_that_refuses_is_one_line(
    headers: dict[str, str], said: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = {"GatedRepo": 403, None: 500}.get(headers.get("X-Error-Code"), 404)
    monkeypatch.setattr(
        "fileserver.Handler.serve",
        lambda self: self.refuse(code, **{k.replace("-", "_"): v for k, v in headers.items()}),
    )
    with pytest.raises(CorpusError, match=said) as error:
        large.get("wiki-18", transfer=QUICK)
    assert "\n" not in str(error.value)


def test_no_hub_at_all_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(CorpusError, match="the hub cannot be asked for") as error:
        large.get("wiki-18", transfer=QUICK)
    assert "\n" not in str(error.value)


def test_a_small_file_of_the_hub_has_no_checksum_to_compare(site: Site, tmp_path: Path) -> None:
    site.files["/datasets/a/b/resolve/main/c.txt"] = b"c"
    found = HubFile("a/b", "c.txt").locate(QUICK, tmp_path)
    assert found.checksum is None
    assert found.url == f"{site.url}/datasets/a/b/resolve/main/c.txt"


def test_the_latest_dump_is_fetched_by_its_date_and_compared(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = serve_dump(site, monkeypatch)
    large.get("simplewiki", transfer=QUICK)
    assert site.log[-1][1] == path
    corpus = open_corpus("simplewiki")
    assert [p.title for p in corpus.passages()] == ["A"]
    assert "https://simple.wikipedia.org/wiki/" in corpus.attribution
    assert build_store("simplewiki", tmp_path / "s").report.tallies["articles"] == 1


def test_a_newer_dump_between_two_calls_is_fetched_from_its_start(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_dump(site, monkeypatch)
    # The first request is for the sums.
    site.faults = [lambda handler: bool(handler.serve()) or True, breaks_off(20)]
    site.faults += [answers(503)] * 2
    with pytest.raises(CorpusError):
        large.get("simplewiki", transfer=QUICK)
    path = serve_dump(site, monkeypatch, "20260901")
    large.get("simplewiki", transfer=QUICK)
    assert site.log[-1] == ("GET", path, None)


def test_a_dump_that_is_not_in_the_sums_is_not_fetched(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_dump(site, monkeypatch)
    site.files["/simplewiki/latest/simplewiki-latest-sha1sums.txt"] = b"\n"
    with pytest.raises(CorpusError, match="does not name simplewiki-latest-pages"):
        large.get("simplewiki", transfer=QUICK)


def test_where_nobody_publishes_a_checksum_the_archive_tells(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.files["/psgs_w100.tsv.gz"] = PSGS
    put(monkeypatch, "psgs_w100", Address(f"{site.url}/psgs_w100.tsv.gz"))
    site.faults = [corrupts(len(PSGS) - 6)]
    with pytest.raises(CorpusError, match=r"damaged or is no \.gz file; it was thrown away"):
        large.get("psgs_w100", transfer=QUICK)
    assert not large.is_there("psgs_w100")
    large.get("psgs_w100", transfer=QUICK)
    assert list(open_corpus("psgs_w100").passages()) == [
        ("1", "Aaron", 'Aaron is "old".'),
        ("2", "Bela", "Bela is new."),
    ]


def test_a_page_of_html_instead_of_an_archive_is_refused(site: Site) -> None:
    site.files["/a.jsonl.gz"] = b"<html>Please log in.</html>"
    with pytest.raises(CorpusError, match=r"is no \.gz file"):
        large.get(f"{site.url}/a.jsonl.gz", transfer=QUICK)


def test_any_address_becomes_a_corpus(site: Site, tmp_path: Path) -> None:
    body = b'{"id": 1, "text": "one"}\n'
    site.files["/my%20data/facts.v2.jsonl"] = body
    address, digest = f"{site.url}/my%20data/facts.v2.jsonl", hashlib.sha256(body).hexdigest()
    folder = large.get(address, sha256=digest.upper(), transfer=QUICK)
    assert folder.name == "facts"
    assert open_corpus("facts").count == 1
    assert address in open_corpus("facts").attribution
    assert large.fetched_names() == ["facts"]
    other = large.get(address, name="other", transfer=QUICK)
    assert open_corpus(other / "facts.v2.jsonl").count == 1


def test_an_address_with_another_checksum_is_refused(site: Site, home: Path) -> None:
    site.files["/a.jsonl"] = b'{"id": 1, "text": "one"}\n'
    with pytest.raises(CorpusError, match="should have sha256 000000000000"):
        large.get(f"{site.url}/a.jsonl", sha256="0" * 64, transfer=QUICK)
    assert files(home) == []
    with pytest.raises(CorpusError, match="is no sha256; it has 64"):
        large.get(f"{site.url}/a.jsonl", sha256="abc", transfer=QUICK)


def test_a_second_call_asks_nobody_and_force_fetches_again(site: Site) -> None:
    serve_hub(site)
    large.get("wiki-18", transfer=QUICK)
    site.log.clear()
    large.get("wiki-18", transfer=QUICK)
    assert site.log == []
    large.get("wiki-18", force=True, transfer=QUICK)
    assert len(site.log) == 2


def test_a_damaged_corpus_is_named_and_fetched_again(site: Site) -> None:
    serve_hub(site)
    folder = large.get("wiki-18", transfer=QUICK)
    (folder / "wiki-18.jsonl.gz").write_bytes(WIKI_18[:-1])
    with pytest.raises(CorpusError, match="is damaged; run `asl corpus get wiki-18` again"):
        open_corpus("wiki-18")
    large.get("wiki-18", transfer=QUICK)
    assert open_corpus("wiki-18").count == 3000


def test_a_complete_download_that_was_not_put_in_place_is_used(site: Site, home: Path) -> None:
    serve_hub(site)
    downloads = home / "downloads" / "wiki-18"
    downloads.mkdir(parents=True)
    (downloads / "wiki-18.jsonl.gz").write_bytes(WIKI_18)
    large.get("wiki-18", transfer=QUICK)
    assert [method for method, _, _ in site.log] == ["HEAD"]


def test_names_do_not_hide_each_other(site: Site) -> None:
    site.files |= {"/a.jsonl": b'{"id": 1, "text": "x"}', "/b/a.jsonl": b'{"id": 1, "text": "y"}'}
    large.get(f"{site.url}/a.jsonl", transfer=QUICK)
    with pytest.raises(CorpusError, match=r"a: is there already, from .*; add --name OTHER"):
        large.get(f"{site.url}/b/a.jsonl", transfer=QUICK)
    large.get(f"{site.url}/b/a.jsonl", force=True, transfer=QUICK)
    assert next(open_corpus("a").passages()).text == "y"
    for name in ("miniwiki", "wiki-vital", "enwiki"):
        with pytest.raises(CorpusError, match="is that of another corpus; add --name"):
            large.get(f"{site.url}/a.jsonl", name=name)
    for name in ("../up", "", "a b"):
        with pytest.raises(CorpusError, match="is no name of letters"):
            large.get(f"{site.url}/", name=name)
    with pytest.raises(CorpusError, match="only an address is given another"):
        large.get("enwiki", name="mine")


def test_unknown_names_and_what_was_not_fetched_are_one_line() -> None:
    with pytest.raises(CorpusError, match="no corpus 'wiki18' to get; did you mean 'wiki-18'"):
        large.get("wiki18")
    with pytest.raises(CorpusError, match="not fetched yet; run `asl corpus get enwiki`"):
        open_corpus("enwiki")
    with pytest.raises(CorpusError, match="is on a server; run `asl corpus get http://x/y` first"):
        open_corpus("http://x/y")
    with pytest.raises(CorpusError, match="did you mean 'psgs_w100'"):
        open_corpus("psgs-w100")


def test_a_home_that_cannot_be_written_is_named(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(CorpusError, match="cannot be written"):
        large.get("wiki-18", transfer=QUICK)


def test_millions_of_passages_are_not_indexed_on_the_way() -> None:
    with pytest.raises(CorpusError, match="run `asl index build enwiki indexes/enwiki`, then add"):
        large.refuse_in_memory("enwiki")
    large.refuse_in_memory("miniwiki")


def test_the_catalogue_names_the_real_places() -> None:
    assert large.LARGE["wiki-18"].source == HubFile("PeterJinGo/wiki-18-corpus", "wiki-18.jsonl.gz")
    enwiki = large.LARGE["enwiki"].source
    assert isinstance(enwiki, SummedFile)
    assert enwiki.sums == "https://dumps.wikimedia.org/enwiki/latest/enwiki-latest-sha1sums.txt"
    assert enwiki.url.endswith("/latest/enwiki-latest-pages-articles-multistream.xml.bz2")
    assert all(corpus.about and corpus.attribution for corpus in large.LARGE.values())


def test_a_checksum_is_said_in_short() -> None:
    assert str(Checksum("sha1", "a" * 40)) == "sha1 aaaaaaaaaaaa..."
