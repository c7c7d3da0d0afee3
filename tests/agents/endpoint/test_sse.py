"""Server-sent events come out the same however the bytes were cut."""

from hypothesis import given
from hypothesis import strategies as st

from asl_env.agents.endpoint.sse import EventReader


def read(pieces):
    reader = EventReader()
    return [data for piece in pieces for data in reader.feed(piece)] + list(reader.close())


@given(
    st.lists(st.text(alphabet="aé🙂 :{}", min_size=1, max_size=8), max_size=6),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.lists(st.integers(1, 7), min_size=1),
)
def test_pieces_do_not_matter(texts, end, sizes):
    raw = "".join(f"data: {text}{end}{end}" for text in texts).encode()
    pieces, at, turn = [], 0, 0
    while at < len(raw):
        size = sizes[turn % len(sizes)]
        pieces.append(raw[at : at + size])
        at, turn = at + size, turn + 1
    assert read(pieces) == texts
    assert read([raw]) == texts


@given(st.lists(st.binary(max_size=12), max_size=8))
def test_no_bytes_raise(pieces):
    assert read(pieces) == read([b"".join(pieces)])


def test_comments_and_other_fields_are_passed_over_and_data_lines_joined():
    raw = b": hello\nevent: x\nid: 1\ndata:one\ndata: two\n\n\n\ndata: three"
    assert read([raw]) == ["one\ntwo", "three"]
