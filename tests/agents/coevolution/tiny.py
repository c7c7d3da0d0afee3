"""A world of two dozen sentences, and a learner with seven weights that really learns in it."""

import json

import numpy as np

from asl_env.agents.coevolution.recipefile import load_recipe
from asl_env.agents.coevolution.world import World
from asl_env.corpora.passages import Passage
from asl_env.dialects import make_dialect
from asl_env.episode import Role, Task, Turn
from asl_env.prompts import read_claim, read_request
from asl_env.protocols import Hit
from asl_env.rewards.matching import em
from asl_env.tool import SearchTool

NAMES = ("Asha Birk Cleo Dov Ezra Faye Gil Hana Ivo June Kit Lena "
         "Milo Nour Omar Pia Quin Rosa Sven Tara Udo Vera Wim Yara").split()  # fmt: skip
TOWNS = "Lima Oslo Rome Cairo Delhi Quito".split()
HOME = {name: TOWNS[index * 5 % 6] for index, name in enumerate(NAMES)}
ASK = (
    "In which town does {} live today?",
    "Where does {} live, in which town?",
    "What is the home town of {} now?",
    "Which town is home to {} nowadays?",
)
PASSAGES = [Passage(name, name, f"{name} lives in {HOME[name]}.") for name in NAMES]


class WordRetriever:
    """Finds the passages whose title is a word of the query."""

    def search(self, queries, k):
        found = []
        for query in queries:
            words = query.replace("?", " ").replace(",", " ").split()
            found.append([Hit(p, 1.0) for p in PASSAGES if p.title in words][:k])
        return found


class Oracle:
    """Knows where everybody lives."""

    class Reply:
        def __init__(self, town):
            self.status = "answered" if town else "outside"
            self.unique = town is not None
            self._town = town

        def accepts(self, text):
            return self._town is not None and em(text, [self._town]) == 1.0

    def ask(self, question):
        words = question.replace("?", " ").replace(",", " ").split()
        return self.Reply(next((HOME[name] for name in NAMES if name in words), None))


def make_world(retriever=None):
    held_out = [Task(f"eval-{n}", f"Tell me: what is the town of {n}?", (HOME[n],)) for n in NAMES]
    real = [Task(f"real-{n}", f"{n} has a house in what town?", (HOME[n],)) for n in NAMES]
    return World(
        name="tiny",
        tool=SearchTool(retriever or WordRetriever(), cache_size=0),
        topics=NAMES[:16],
        held_out={"towns": held_out[:12], "more-towns": held_out[12:]},
        task_sets={"real": real},
        oracle=Oracle(),
        digest="tiny-1",
    )


def make_recipe(*overrides):
    small = [
        "name=tiny", "rounds=2", "max_turns=4",
        "generate.steps=96", "generate.chunk_steps=32", "generate.num_envs=8",
        "generate.solves=4", "generate.verifications=2", "generate.threshold=0.5",
        "generate.gate_from=1", "verify.balance=true", "verify.own_answers=false",
        "verify.steps=64", "verify.chunk_steps=32", "verify.num_envs=8", "verify.plateau=null",
        "solve.steps=96", "solve.chunk_steps=48", "solve.num_envs=8", "solve.plateau=null",
        "solve.min_tasks=12", "requests.minimum=8",
        "diagnostics.tasks_per_set=4", "diagnostics.claims=4", "diagnostics.votes=2",
        "diagnostics.probes=1", "log.trajectories=1",
    ]  # fmt: skip
    return load_recipe("asl", [*small, *overrides])


CHOICES = {
    Role.GENERATOR: ("true", "false", "junk"),
    Role.POLICY: ("search", "guess"),
    Role.GRM: ("check", "accept"),
}


class TinyLearner:
    """Chooses a way to play by softmax over one weight per way; learns by REINFORCE."""

    def __init__(self, seed=0):
        self.seed = seed
        self.calls = 0
        self.weights = {role: 0.3 * np.arange(len(ways)) for role, ways in CHOICES.items()}
        self.dialect = make_dialect("asl")

    def act(self, chats, *, greedy=False):
        return [Turn(self._say(chat, greedy)) for chat in chats]

    def way(self, role, seed, greedy=False):
        rng = np.random.default_rng([seed, 17])
        noise = 0.0 if greedy else rng.gumbel(size=len(CHOICES[role]))
        return int(np.argmax(self.weights[role] + noise))

    def learn(self, role, vector_env, budget, callbacks=()):
        self.calls += 1
        vector_env.reset(seed=1000 * self.seed + self.calls)
        total = []
        for _ in range(budget // vector_env.num_envs):
            infos = vector_env.step(self.act(vector_env.chats()))[4]
            if "final_info" not in infos:
                continue
            ended = [i for i, over in enumerate(infos["_final_info"]) if over]
            rewards = []
            for index in ended:
                parts = infos["final_info"]["reward_parts"][index]
                if parts.invalid is None:
                    rewards.append((infos["final_info"]["trajectory"][index].seed, parts.total))
            self._update(role, rewards)
            total += [reward for _, reward in rewards]
            mean = float(np.mean(total)) if total else 0.0
            if not all(callback({"mean": mean}) for callback in callbacks):
                break
        return {"mean": float(np.mean(total)) if total else 0.0, "time/fps": 1.0}

    def save(self, folder):
        weights = {role.value: weights.tolist() for role, weights in self.weights.items()}
        record = {"calls": self.calls, "weights": weights}
        (folder / "tiny.json").write_text(json.dumps(record))

    def load(self, folder):
        record = json.loads((folder / "tiny.json").read_text())
        self.calls = record["calls"]
        self.weights = {Role(name): np.array(w) for name, w in record["weights"].items()}

    def _update(self, role, rewards):
        weights = self.weights[role]
        baseline = np.mean([reward for _, reward in rewards]) if rewards else 0.0
        for seed, reward in rewards:
            share = np.exp(weights - weights.max())
            gradient = -share / share.sum()
            gradient[self.way(role, seed)] += 1.0
            weights += 0.3 * (reward - baseline) * gradient

    def _say(self, chat, greedy):
        way = CHOICES[chat.role][self.way(chat.role, chat.seed, greedy)]
        read = [self.dialect.read_results(m) for m in chat.messages if m["role"] == "tool"]
        passages = [passage for found in read if found for passage in found]
        user = chat.messages[1]["content"]
        if chat.role is Role.POLICY:
            return self._solve(user, way, read, passages)
        if chat.role is Role.GRM:
            return self._judge(read_claim(user), way, read, passages)
        return self._ask(read_request(user), way, chat.seed, read, passages)

    def _solve(self, question, way, read, passages):
        if way == "search" and not read:
            return self.dialect.write_search(question)
        return self.dialect.write_final(HOME[passages[0].title] if passages else "Lima")

    def _judge(self, claim, way, read, passages):
        if way == "check" and not read:
            return self.dialect.write_search(claim[0])
        right = not read or bool(passages and em(claim[1], [HOME[passages[0].title]]))
        return self.dialect.write_final(f"conclusion: {'correct' if right else 'wrong'}")

    def _ask(self, request, way, seed, read, passages):
        if not read:
            return self.dialect.write_search(request.topic)
        name = passages[0].title if passages else NAMES[0]
        question = ASK[seed % 4].format(name)
        town = HOME[name] if way != "false" else TOWNS[seed % 6]
        return self.dialect.write_final(town, "?" if way == "junk" else question)
