"""The command line as a test calls it."""

import pytest

from asl_env.agents.cli import main as cli


@pytest.fixture
def asl(capsys):
    """Runs a command; returns exit code, standard output, standard error."""

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            cli.main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return end.value.code, said.out, said.err

    return run
