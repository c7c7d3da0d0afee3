"""Offline evaluation: task files, the runner, statistics, saved trajectories."""

from asl_env.evaluation.rescore import rescore
from asl_env.evaluation.results import EvalResult, compare
from asl_env.evaluation.runner import evaluate
from asl_env.evaluation.tasks import TaskSet, load_tasks

__all__ = ["EvalResult", "TaskSet", "compare", "evaluate", "load_tasks", "rescore"]
