"""What is played by default, and that nothing is loaded before it is needed."""

import subprocess
import sys

import numpy as np

from asl_env.corpora.miniwiki import evalsets, world
from asl_env.envs import defaults
from asl_env.text import normalize

HEAVY = ("torch", "faiss", "sentence_transformers", "bm25s", "numba", "stable_baselines3", "rich")


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_making_and_resetting_loads_nothing_heavy_and_builds_no_index():
    code = f"""
import sys, gymnasium, asl_env
light = "asl_env.envs.seat" not in sys.modules
env = gymnasium.make("ASLSearch-v0")
env.reset(seed=0)
from asl_env.corpora.miniwiki import world
print(light, [name for name in {HEAVY} if name in sys.modules], "passages" in vars(world.load()))
"""
    assert run(code) == "True [] False"


def test_the_id_can_name_the_package():
    code = "import gymnasium; print(gymnasium.make('asl_env:ASLVerify-v0').reset(seed=0)[0][:7])"
    assert run(code) == "Someone"


def test_the_default_task_is_the_same_in_every_process():
    code = "import gymnasium; print(gymnasium.make('asl_env:ASLSearch-v0').reset(seed=5)[0])"
    assert run(code) == run(code)


def test_training_tasks_are_not_evaluation_questions():
    held_out = {record.question for name in evalsets.NAMES for record in evalsets.load(name)}
    tasks = defaults.training_tasks()
    assert len({task.id for task in tasks}) == len(tasks) >= 2000
    assert not held_out & {task.question for task in tasks}
    assert {task.provenance["hops"] for task in tasks} == {1, 2}


def test_claims_are_right_and_wrong_half_and_half_and_the_wrong_ones_are_wrong():
    rng = np.random.default_rng(0)
    claims = [defaults.draw_claim(rng) for _ in range(300)]
    wrong = [claim for claim in claims if claim.label == "wrong"]
    assert 100 < len(wrong) < 200
    tasks = {task.id: task for task in defaults.training_tasks()}
    for claim in claims:
        name, _, kind = claim.id.rpartition("-")
        accepted = {normalize(answer) for answer in tasks[name].answers}
        assert (normalize(claim.answer) in accepted) == (kind == "right")


def test_most_wrong_answers_are_of_the_right_kind():
    rng = np.random.default_rng(1)
    claims = [defaults.draw_claim(rng) for _ in range(400)]
    kinds = {}
    for task in defaults.training_tasks():
        for answer in task.answers:
            kinds.setdefault(answer, set()).add(task.provenance["chain"][-1])
    wrong = [claim for claim in claims if claim.label == "wrong"]
    alike = [claim for claim in wrong if claim.provenance["chain"][-1] in kinds[claim.answer]]
    assert len(alike) > 0.9 * len(wrong)


def test_requests_are_about_topics():
    rng = np.random.default_rng(0)
    requests = [defaults.draw_request(rng) for _ in range(50)]
    assert {request.topic for request in requests} <= set(world.load().topics)
    assert len({request.id for request in requests}) > 20
