"""What all answers share."""

from decimal import Decimal
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

ItemT = TypeVar("ItemT")


class Answer(BaseModel):
    """An API that grows keeps its old clients: what they do not know they ignore."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Page(Answer, Generic[ItemT]):
    data: tuple[ItemT, ...]
    next_cursor: str | None = None


class Money(Answer):
    currency: str
    amount: Decimal
