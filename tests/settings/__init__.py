"""Settings, one part at a time: parsers, quotation marks, databases, checks."""

from pathlib import Path

import pytest

from config import Config, ConfigError


def load(instance: Path, **environ: str) -> Config:
    return Config.load({"INSTANCE_DIR": str(instance)} | environ)


def problems(instance: Path, **environ: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as refused:
        load(instance, **environ)
    assert str(refused.value) == "\n".join(refused.value.problems)
    return refused.value.problems
