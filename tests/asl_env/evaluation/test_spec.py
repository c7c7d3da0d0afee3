"""Specs are complete, frozen by name, and refused where this version would do otherwise."""

import pytest
import yaml

from asl_env.dialects import make_dialect
from asl_env.episode import Role, Task, Turn
from asl_env.errors import SpecError
from asl_env.evaluation.runner import evaluate
from asl_env.evaluation.spec import PromptedDialect, load_spec, spec_names
from asl_env.protocols import Dialect, ToolResult

#: A spec is never edited: give the changed one a new name and add it here.
DIGESTS = {"asl-v1": "d96c15baf2940b6b", "searchr1-v1": "ce3a034bad9ea1de"}


def write(path, **changes):
    """A spec of one's own: asl-v1 with other fields; ``...`` takes a field away."""
    fields = load_spec("asl-v1").model_dump() | {"name": "mine"} | changes
    kept = {name: value for name, value in fields.items() if value is not ...}
    path.write_text(yaml.safe_dump(kept, allow_unicode=True), encoding="utf-8")
    return path


def test_what_a_name_means_never_changes():
    assert {name: load_spec(name).digest for name in spec_names()} == DIGESTS


@pytest.mark.parametrize("name", spec_names())
def test_a_spec_is_called_what_its_file_is_called(name):
    spec = load_spec(name)
    assert spec.name == name and spec.about


def test_every_field_but_the_remark_is_in_the_digest(tmp_path):
    one = load_spec(write(tmp_path / "a.yaml"))
    assert load_spec(write(tmp_path / "b.yaml", about="other words")).digest == one.digest
    changes = ({"prompt": "Answer."}, {"top_k": 4}, {"greedy": False}, {"headline": "f1"})
    digests = {load_spec(write(tmp_path / "c.yaml", **change)).digest for change in changes}
    assert len(digests - {one.digest}) == len(changes)


def test_the_agent_is_asked_in_the_words_of_the_spec(tmp_path):
    heard = []

    class Agent:
        def act(self, chats, *, greedy=False):
            heard.extend((chat.messages[0]["content"], greedy) for chat in chats)
            return [Turn("<search>x</search>") for _ in chats]

    class Tool:
        def run(self, calls):
            return [ToolResult(call, ()) for call in calls]

    path = write(tmp_path / "s.yaml", prompt="Just answer.", dialect="search-r1", max_turns=2)
    spec = load_spec(path)
    tasks = [Task("q", "Who?", ("Ada",))]
    result = evaluate(Agent(), tasks, tool=Tool(), about=spec.record(), **spec.arguments())
    assert heard == [("Just answer.", True)] * 2
    assert result.rows[0].trajectory.truncated
    assert result.settings["spec"] == "mine"
    assert result.settings["spec_digest"] == spec.digest
    assert (result.settings["dialect"], result.settings["max_turns"]) == ("search-r1", 2)


def test_the_other_seats_and_the_forms_stay_the_dialects():
    plain = make_dialect("asl")
    fixed = PromptedDialect(plain, "Just answer.")
    assert isinstance(fixed, Dialect)
    assert fixed.system_prompt(Role.GRM) == plain.system_prompt(Role.GRM)
    assert (fixed.name, fixed.stop) == (plain.name, plain.stop)
    said = fixed.write_search("a query", "hm")
    assert said == plain.write_search("a query", "hm")
    assert fixed.starts_with_think(said)
    assert fixed.parse(said, Role.POLICY).calls[0].queries == ("a query",)
    final = fixed.write_final("Ada")
    assert fixed.parse(final, Role.POLICY).answer == "Ada"
    (message,) = fixed.render_results([ToolResult(fixed.parse(said, Role.POLICY).calls[0], ())])
    assert fixed.read_results(message) == []


def test_an_index_is_checked_where_the_spec_names_one(tmp_path):
    load_spec("asl-v1").check_index(None)
    spec = load_spec(write(tmp_path / "s.yaml", index_digest="abc"))
    spec.check_index("abc")
    with pytest.raises(SpecError, match="searches the index abc, this one is unknown"):
        spec.check_index(None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"topk": 3}, "did you mean 'top_k'"),
        ({"top_k": 0}, "field 'top_k': Input should be greater"),
        ({"top_k": "3"}, "field 'top_k': Input should be a valid integer"),
        ({"prompt": ...}, "field 'prompt': Field required"),
        ({"dialect": "ask"}, "did you mean 'asl'"),
        ({"headline": "cover-me"}, "did you mean 'cover-em'"),
        ({"name": "Not a name"}, "field 'name'"),
        ({"metric_version": 99}, "needs metric_version 99, this asl-env has 1"),
        ({"grammar_version": 0}, "needs grammar_version 0, this asl-env has 1"),
    ],
)
def test_a_wrong_field_is_one_line(tmp_path, change, said):
    with pytest.raises(SpecError) as told:
        load_spec(write(tmp_path / "s.yaml", **change))
    assert said in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize("content", [b"- a list", b"a: [", b"\xff\xfe", b"1: 2", b""])
def test_a_file_that_is_no_spec_is_refused(tmp_path, content):
    path = tmp_path / "s.yaml"
    path.write_bytes(content)
    with pytest.raises(SpecError, match=r"s\.yaml"):
        load_spec(path)


def test_an_unknown_name_gets_a_hint():
    with pytest.raises(SpecError, match="did you mean 'searchr1-v1'"):
        load_spec("search-r1-v1")
