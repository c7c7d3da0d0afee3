"""How turns and tool results are written as text."""

from asl_env.dialects.asl import AslDialect
from asl_env.dialects.registry import make_dialect
from asl_env.dialects.search_r1 import SearchR1Dialect

__all__ = ["AslDialect", "SearchR1Dialect", "make_dialect"]
