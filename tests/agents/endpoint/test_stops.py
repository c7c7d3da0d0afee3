"""Turns end exactly after the first stop string, whatever the server does with it."""

from hypothesis import given
from hypothesis import strategies as st

from asl_env.agents.endpoint.stops import StopWatch, first_stop, restore_stop

STOPS = ("</tool_call>", "</answer>")
CROWDED = st.text(alphabet="<>/ans ", max_size=40)
STOP_LIKE = st.lists(st.sampled_from(["</a", "</answer>", "</tool_call>", "x", "<", "</answer"]))


def cut(text, stops=STOPS):
    end = first_stop(text, stops)
    return text if end is None else text[:end]


@given(STOP_LIKE.map("".join), st.lists(st.integers(1, 5), min_size=1))
def test_however_the_text_is_cut_into_pieces_it_ends_after_the_first_stop(text, sizes):
    watch, at, turn = StopWatch(STOPS), 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        watch.add(text[at : at + size])
        at, turn = at + size, turn + 1
    assert watch.text == cut(text)
    assert watch.stopped == (first_stop(text, STOPS) is not None)


@given(CROWDED, st.lists(st.text(alphabet="<>/ans ", min_size=1, max_size=4), min_size=1))
def test_any_stop_strings_piece_by_piece(text, stops):
    watch = StopWatch(stops)
    for letter in text:
        watch.add(letter)
    assert watch.text == cut(text, stops)


@given(
    st.text(alphabet="abc \n", max_size=20),
    st.sampled_from(["answer", "tool_call"]),
    st.text(alphabet="abc \n", max_size=20),
    st.text(max_size=20),
    st.data(),
)
def test_one_turn_comes_back_from_every_kind_of_server(before, tag, inside, after, data):
    stop = f"</{tag}>"
    turn = f"{before}<{tag}>{inside}{stop}"
    removed = turn[: -len(stop)]
    partial = turn[: len(removed) + data.draw(st.integers(0, len(stop)))]
    for sent in (turn, turn + after, removed, partial):  # keeps it, ignores it, removes it, …
        watch = StopWatch(STOPS)
        watch.add(sent)
        assert restore_stop(watch.text, STOPS) == turn


def test_the_innermost_open_tag_decides():
    assert restore_stop("<answer>a<tool_call>b", STOPS) == "<answer>a<tool_call>b</tool_call>"
    assert restore_stop("<tool_call>a<answer>b", STOPS) == "<tool_call>a<answer>b</answer>"


def test_a_turn_that_ended_by_itself_stays_as_it_is():
    assert restore_stop("Lima", STOPS) == "Lima"
    assert restore_stop("", STOPS) == ""


def test_a_server_that_names_the_stop_string_is_believed():
    assert restore_stop("END", ("STOP", "QUIT"), "QUIT") == "ENDQUIT"
    assert restore_stop("<answer>Lima", STOPS, "") == "<answer>Lima"  # it says: none
    assert restore_stop("<answer>Lima", STOPS, "something else") == "<answer>Lima</answer>"
