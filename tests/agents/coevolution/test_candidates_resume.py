"""The shipped learner in the loop: an interrupted run has the weights of one that was not."""

import pytest
import tiny

from asl_env.agents.candidates.learner import CandidatesLearner
from asl_env.agents.coevolution.callbacks import LoopCallback
from asl_env.agents.coevolution.loop import CoEvolution


class Interrupt(LoopCallback):
    def __init__(self, phase):
        self.phase = phase

    def on_update(self, state, metrics):
        if state.phase == self.phase and state.progress.chunk == 1:
            raise KeyboardInterrupt


def start(folder, *callbacks):
    recipe = tiny.make_recipe(
        "rounds=1", "generate.steps=128", "generate.chunk_steps=64", "generate.accept=gate",
        "verify.balance=false", "verify.steps=128", "verify.chunk_steps=64", "solve.steps=128",
        "solve.chunk_steps=64", "diagnostics.probes=1",
    )  # fmt: skip
    world = tiny.make_world()
    CoEvolution(recipe, folder, CandidatesLearner(seed=3), world, callbacks=callbacks).run()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The `render_mode` attribute")
def test_candidates_resume_to_the_same_weights_and_events(tmp_path):
    start(tmp_path / "whole")
    for phase in ("generate", "verify", "solve"):
        with pytest.raises(KeyboardInterrupt):
            start(tmp_path / "parts", Interrupt(phase))
    start(tmp_path / "parts")
    for name in ("events.jsonl", "state.json", "trajectories.jsonl"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    weights = sorted((tmp_path / "whole" / "checkpoints" / "round-01").rglob("*.safetensors"))
    assert len(weights) >= 3
    for path in weights:
        twin = tmp_path / "parts" / path.relative_to(tmp_path / "whole")
        assert twin.read_bytes() == path.read_bytes()
