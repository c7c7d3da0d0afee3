"""A warm-up learns, goes on where it was killed, and leaves a model that anything can open."""

import json
import shutil
from dataclasses import replace

import pytest

from asl_env.agents.lm.nano import warmup as module
from asl_env.agents.lm.nano.card import write_card
from asl_env.agents.lm.nano.model import NanoShape
from asl_env.agents.lm.nano.settings import Stage, WarmupSettings, read_settings
from asl_env.agents.lm.nano.warmup import Looks, warmup
from asl_env.errors import LanguageModelError, RunError

SETTINGS = WarmupSettings(
    stages=(Stage(1, 40, 0.0, 0.5, 0.15, 8e-3), Stage(1, 40, 1.0, 0.0, 0.0, 4e-3, comparisons=1.0)),
    tokenizer_worlds=1,
    batch_tokens=2048,
    save_every=3,
    shape=NanoShape(32, 1, 2, 1, 64, 1024),
)


class KilledError(Exception):
    """Stands for kill -9."""


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("warm") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CHECK", Stage(1, 40, 0.0, 0.0, 0.0, 0.0))  # one world, not two
        record = warmup(SETTINGS, folder, processes=1)
    write_card(folder, record)
    return folder, record


def test_it_learns_and_notes_what_it_did(finished):
    _, record = finished
    assert record["finished"]
    assert record["loss"][-1] < record["loss"][0]
    assert record["steps"] > 10
    assert 0 < record["validation_loss"] < record["loss"][0]


@pytest.mark.parametrize(
    ("worlds", "episodes", "checked"), [(1, 24, 12), (4, 240, 48), (99, 240, 240)]
)
def test_the_loss_is_measured_on_a_tenth_of_what_is_learned_from(worlds, episodes, checked):
    stage = Stage(worlds, episodes, 0.0, 0.0, 0.0, 0.0)
    assert module._check(replace(SETTINGS, stages=(stage,))).episodes == checked


@pytest.mark.slow
@pytest.mark.parametrize("step", [4, 14])
def test_a_killed_one_ends_with_the_same_weights(finished, tmp_path, step):
    seen = []

    def die(at, steps, loss):
        seen.append(at)
        if len(seen) == step:
            raise KilledError

    with pytest.raises(KilledError):
        warmup(SETTINGS, tmp_path, processes=1, looks=Looks(training=die))
    assert not (tmp_path / "model.safetensors").exists()
    record = warmup(SETTINGS, tmp_path, processes=1)
    assert weights(tmp_path) == weights(finished[0])
    assert record["steps"] == finished[1]["steps"]


def test_the_folder_opens_as_a_language_model(finished):
    from asl_env.agents.lm.loading import load_language_model

    folder, _ = finished
    loaded = load_language_model(folder)
    assert loaded.context == 4096
    card = (folder / "README.md").read_text()
    assert "80 scripted episodes" in card
    assert "seed 0" in card
    assert "asl warmup --seed 0 --out FOLDER --set ...    # the settings of warmup.json" in card
    assert not (folder / "unfinished").exists()


@pytest.mark.slow
def test_a_given_model_learns_with_an_adapter(finished, tmp_path):
    from asl_env.agents.lm.loading import load_language_model

    given = load_language_model(finished[0])
    base = weights(finished[0])
    settings = WarmupSettings(
        stages=(Stage(1, 20, 1.0, 0.0, 0.0, 1e-3),), batch_tokens=2048, lora_rank=2, save_every=3
    )
    record = warmup(settings, tmp_path, given, processes=1)
    assert record["model"] == given.name
    assert load_language_model(tmp_path).kind == "adapter"
    assert weights(finished[0]) == base


def test_a_folder_of_something_else_is_left_alone(finished, tmp_path):
    folder, _ = finished
    with pytest.raises(RunError, match="holds a finished warm-up; choose another --out"):
        warmup(SETTINGS, folder, processes=1)
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    data = json.loads((other / "warmup.json").read_text())
    (other / "warmup.json").write_text(json.dumps({**data, "finished": False}))
    with pytest.raises(RunError, match="holds a warm-up with other settings"):
        warmup(read_settings(["seed=1"], SETTINGS), other, processes=1)
    (other / "warmup.json").write_text("{")
    with pytest.raises(RunError, match=r"warmup\.json: damaged"):
        warmup(SETTINGS, other, processes=1)


def test_settings_are_changed_by_name():
    changed = read_settings(["stages.1.worlds=3", "habits.slips=0.5", "seed=7"], SETTINGS)
    assert changed.stages[1].worlds == 3
    assert changed.stages[0] == SETTINGS.stages[0]
    assert changed.habits.slips == 0.5
    assert changed.seed == 7


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("sed=1", "no field 'sed'; did you mean 'seed'"),
        ("stages.6.worlds=1", "no field '6'"),
        ("stages=3", "name what inside it"),
        ("seed.x=3", "no field 'x'; it is one number"),
        ("seed=many", "'many' is no whole number"),
        ("habits.slips=7", "habit slips=7.0 is no share"),
        ("stages.0.worlds=0", "worlds=0 must be at least 1"),
        ("stages.0.openings=-2", r"openings=-2\.0 must not be negative"),
        ("seed", "write field=value"),
    ],
)
def test_a_wrong_change_is_explained_in_one_line(change, said):
    with pytest.raises(LanguageModelError, match=said):
        read_settings([change])
