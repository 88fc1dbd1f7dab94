"""Progress prints occasional lines if there is no terminal."""

import sys

from dynamic_sparsity.runtime.progress import progress


def test_a_log_gets_few_lines_with_count_rate_and_time(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    assert list(progress(range(500), total=500, label="rollouts")) == list(range(500))
    lines = capsys.readouterr().err.splitlines()
    assert 1 <= len(lines) <= 4
    assert "rollouts" in lines[-1] and "500/500" in lines[-1] and "episode/s" in lines[-1]
    assert all("\r" not in line for line in lines)
