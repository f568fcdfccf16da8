"""What every table of a plan has in common."""

from pydantic import BaseModel, ConfigDict


class Table(BaseModel):
    """One TOML table: unknown keys are mistakes, and nothing changes after it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
