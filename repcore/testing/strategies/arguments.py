"""Arguments of strategies, checked when the strategy is made and not when it is drawn from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar, cast

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

__all__ = ["as_strategy", "count", "flag", "subset"]

_T = TypeVar("_T")


def count(value: object, name: str, least: int) -> int:
    """An integer >= ``least``.

    Raises:
        InvalidArgument: anything else, truth values among it.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidArgument(f"{name}={value!r}: expected an integer >= {least}")
    if value < least:
        raise InvalidArgument(f"{name}={value!r}: must be at least {least}")
    return value


def flag(value: object, name: str) -> bool:
    """A truth value.

    Raises:
        InvalidArgument: anything else.
    """
    if not isinstance(value, bool):
        raise InvalidArgument(f"{name}={value!r}: expected True or False")
    return value


def subset(values: object, name: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Some of the ``known`` words, in their order there.

    Raises:
        InvalidArgument: a word that is not known, no word at all, or one text in place of several.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InvalidArgument(f"{name}={values!r}: expected several of {known}")
    given: list[Any] = list(values)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # checked next
    unknown = [x for x in given if x not in known]
    if unknown or not given:
        raise InvalidArgument(f"{name}={values!r}: expected at least one of {known}, and nothing else")
    return tuple(x for x in known if x in given)


def as_strategy(value: _T | st.SearchStrategy[_T], name: str, kind: type[_T]) -> st.SearchStrategy[_T]:
    """A strategy as it is, a value as the strategy that gives it.

    Raises:
        InvalidArgument: anything else.
    """
    if isinstance(value, st.SearchStrategy):
        return cast("st.SearchStrategy[_T]", value)
    if not isinstance(value, kind):
        raise InvalidArgument(f"{name}={value!r}: expected a {kind.__name__} or a strategy for one, got {type(value).__name__}")
    return st.just(value)
