"""Where laws are kept: by the kind of thing that they are about, and by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from repcore import DeclarationError

__all__ = ["Law", "Laws", "broken"]

Law = Callable[..., None]
_L = TypeVar("_L", bound=Law)
# A counterexample longer than this is a file and not a message.
_SHOWN = 4000


class Laws(Mapping[str, Law]):
    """The laws of one kind of thing, by name, in the order in which they were registered.

    A law is a plain function that returns nothing and raises AssertionError if its equation does not hold. As a mapping the
    registry is what ``pytest.mark.parametrize`` wants, so that every law is a test with a name of its own; :meth:`check` runs
    them all.

    >>> from repcore.testing import laws
    >>> sorted(laws.for_group)[0]
    'defining_representation_is_the_generators'
    """

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self._laws: dict[str, Law] = {}

    def register(self, law: _L) -> _L:
        """Enter a law under the name of its function; returns it, so that this is a decorator.

        Raises:
            DeclarationError: there is a law of that name, or the function has no docstring, which has to give the equation.
        """
        name = getattr(law, "__name__", "")
        if name in self._laws:
            raise DeclarationError(f"law: {name!r} is a law of a {self.subject} already; give this one another name")
        if not name or not (law.__doc__ or "").strip():
            raise DeclarationError(f"law: {name!r} has no docstring; its first line gives the equation")
        self._laws[name] = law
        return law

    def check(self, *subject: Any, **options: Any) -> tuple[str, ...]:
        """Run every law on a subject, and return their names.

        Raises:
            AssertionError: of the first law that does not hold.
        """
        for law in self._laws.values():
            law(*subject, **options)
        return tuple(self._laws)

    def __getitem__(self, name: str) -> Law:
        return self._laws[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._laws)

    def __len__(self) -> int:
        return len(self._laws)

    def __repr__(self) -> str:
        return f"<Laws of a {self.subject}: {', '.join(self._laws)}>"


def broken(law: str, equation: str, **found: object) -> AssertionError:
    """The error of a broken law: its name, its equation, and the counterexample as lines that can be pasted.

    Values print by their ``repr``, which for the values of repcore is code.
    """
    shown = {name: repr(value) for name, value in found.items()}
    lines = [f"    {name} = {text if len(text) <= _SHOWN else text[:_SHOWN] + ' ...'}" for name, text in shown.items()]
    imports = "    from repcore import *"
    if any("Element(" in text for text in shown.values()):
        imports += "; from repcore.testing import Element"
    return AssertionError("\n".join([f"law {law} is broken: {equation}", imports, *lines]))
