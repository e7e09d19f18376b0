import sys

import pytest

from clam_core.errors import ClamError
from clam_core.rl.config import AgentConfig
from clam_core.rl.library import Networks


def test_without_the_extra_the_mend_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sbx", None)
    with pytest.raises(ClamError, match=r"pip install -r requirements-rl\.txt"):
        Networks(AgentConfig(), 11, [-1.0] * 3, [1.0] * 3, 0)


def test_an_algorithm_that_is_not_there_is_named():
    pytest.importorskip("sbx", reason="needs the reinforcement-learning extra (make rl)")
    with pytest.raises(ClamError, match="unknown algorithm 'sca'"):
        Networks(AgentConfig(algorithm="sca"), 11, [-1.0] * 3, [1.0] * 3, 0)
