"""Agents come by name, by checkpoint, by class; what cannot be loaded says why in one line."""

import sys

import pytest

from asl_env.agents.candidates.learner import CandidatesLearner
from asl_env.agents.loading import load_agent
from asl_env.agents.scripted import OracleAgent, RandomAgent
from asl_env.errors import AgentError, RunError
from asl_env.lexical import LexicalAgent


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("random", RandomAgent),
        ("lexical", LexicalAgent),
        ("oracle", OracleAgent),
        ("candidates", CandidatesLearner),
    ],
)
def test_built_in_agents_come_by_name(name, expected):
    assert type(load_agent(name)) is expected


def test_an_agent_is_returned_as_it_is():
    agent = RandomAgent()
    assert load_agent(agent) is agent


def test_a_class_of_ones_own_comes_from_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "my_agents_here.py").write_text(
        "class Mine:\n    def act(self, chats, *, greedy=False): return ['x'] * len(chats)\n"
        "class Needy:\n    def __init__(self, what): pass\n"
        "class Mute: pass\n"
    )
    (tmp_path / "broken_module_here.py").write_text("1 / 0\n")
    (tmp_path / "poor_module_here.py").write_text("import no_such_library_here\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert load_agent("my_agents_here:Mine").act([None]) == ["x"]
    for spec, said in {
        "my_agents_here:Mina": "no 'Mina' in it; did you mean 'Mine'",
        "my_agents_here:Needy": "missing 1 required positional argument",
        "my_agents_here:Mute": "an agent needs a method act",
        "no_such_module_here:X": "run from the folder of no_such_module_here.py",
        "broken_module_here:X": "importing failed: ZeroDivisionError",
        "poor_module_here:X": "importing failed: No module named 'no_such_library_here'; install",
    }.items():
        with pytest.raises(AgentError, match=said):
            load_agent(spec)


def test_an_unknown_name_gets_a_hint():
    with pytest.raises(AgentError, match="'lexicl'; did you mean 'lexical'"):
        load_agent("lexicl")


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    learner = CandidatesLearner(seed=3)
    learner.save(tmp_path)
    loaded = load_agent(tmp_path)
    assert isinstance(loaded, CandidatesLearner)
    assert loaded.seed == 3


def test_a_folder_without_a_checkpoint_is_named(tmp_path):
    with pytest.raises(RunError, match="no run and no checkpoint"):
        load_agent(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(RunError, match=r"no state\.json yet"):
        load_agent(tmp_path)
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(RunError, match=r"state\.json: damaged"):
        load_agent(tmp_path)
