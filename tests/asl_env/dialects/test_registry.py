"""Finding a dialect."""

import pytest

from asl_env.dialects import AslDialect, SearchR1Dialect, make_dialect
from asl_env.errors import AslError


def test_names_and_objects():
    assert isinstance(make_dialect(), AslDialect)
    assert isinstance(make_dialect("search-r1"), SearchR1Dialect)
    mine = AslDialect()
    assert make_dialect(mine) is mine


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(AslError, match=r"'search_r1'; did you mean 'search-r1'\?"):
        make_dialect("search_r1")


@pytest.mark.parametrize("thing", [7, AslDialect, object()])
def test_something_else_is_refused(thing):
    with pytest.raises(AslError, match="not a dialect"):
        make_dialect(thing)


def test_a_dialect_of_another_distribution_is_found(tmp_path, monkeypatch):
    folder = tmp_path / "others-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1.0\n")
    entries = "[asl_env.dialects]\nfactory = others_dialects:Mine\nvalue = others_dialects:mine\n"
    (folder / "entry_points.txt").write_text(entries)
    module = "from asl_env.dialects import AslDialect\nclass Mine(AslDialect):\n    name = 'mine'\n"
    (tmp_path / "others_dialects.py").write_text(module + "mine = Mine()\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert make_dialect("factory").name == "mine"
    assert make_dialect("value").name == "mine"
    with pytest.raises(AslError, match="did you mean 'factory'"):
        make_dialect("factori")
