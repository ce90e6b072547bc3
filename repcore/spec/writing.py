"""From a `Spec` to plain data, and to the text of a TOML file."""

from __future__ import annotations

from functools import singledispatch
from itertools import groupby
from typing import Any, cast

from repcore.errors import SpecError
from repcore.exact.grammar import shorten
from repcore.reps.cosets import Quotient
from repcore.reps.custom import Custom
from repcore.reps.induced import Induced
from repcore.reps.irreps import Irrep
from repcore.reps.lifted import Lifted
from repcore.reps.stencils import Stencils
from repcore.reps.tensors import Tensors
from repcore.reps.tree import Alt, Conjugate, Defining, Dual, Product, Realified, Rep, Restriction, Sum, Sym, Trivial
from repcore.spec.groups import plain_matrices, write_group
from repcore.spec.spec import Spec

__all__ = ["document", "toml"]

# How tightly the text of an expression binds: what is looser than its place wants stands in parentheses.
_SUM, _PRODUCT, _POWER, _ATOM = range(4)

# What only a table can say.
_Entry = Custom | Induced | Irrep | Quotient | Restriction | Tensors


def document(spec: Spec) -> dict[str, Any]:
    """The tables of a file that says ``spec``.

    Raises:
        SpecError: a representation cannot be written.
    """
    writer = _Writer()
    for name, rep in spec.reps.items():
        writer.define(name, rep)
    maps = {name: f"{writer.text(s.domain, _SUM)} >> {writer.text(s.codomain, _SUM)}" for name, s in spec.maps.items()}
    rules = {key: rule if isinstance(rule, str) else dict(rule) for key, rule in spec.rules.items()}
    tables = {"group": write_group(spec.group), "reps": writer.reps, "maps": maps}
    return {**tables, "rules": rules} if rules else tables


class _Writer:
    """Collects the entries of ``[reps]``. ``factor`` is that of the product whose representations are being written, or None."""

    def __init__(self) -> None:
        self.reps: dict[str, Any] = {}
        self.names: dict[tuple[int | None, Rep], str] = {}
        self.factor: int | None = None

    def define(self, name: str, rep: Rep) -> None:
        """Enter a representation under a name."""
        known = self.names.get((None, rep))
        if known is not None:
            self.reps[name] = known
        elif isinstance(rep, Lifted) and isinstance(rep.rep, _Entry):
            self.enter(name, rep.rep, rep.factor)
        elif isinstance(rep, _Entry):
            self.enter(name, rep, None)
        else:
            text = self.text(rep, _SUM)
            self.reps[name] = text
        self.names.setdefault((None, rep), name)

    def text(self, rep: Rep, place: int) -> str:
        """The expression of a representation, for a place that wants at least this tightness."""
        name = self.names.get((self.factor, rep))
        if name is not None and not isinstance(rep, Defining | Trivial):
            return name
        text, tightness = _write(rep, self)
        return text if tightness >= place else f"({text})"

    def enter(self, name: str, rep: _Entry, factor: int | None) -> None:
        """Enter a table under a name."""
        if isinstance(rep, Stencils):
            raise _unwritten(rep)  # read again it would be exact images, with nothing to say that they approximate
        outer, self.factor = self.factor, factor
        self.reps[name] = {}  # the name is taken: parts of the representation look for others
        table = _table(rep, name, self)
        self.factor = outer
        self.reps[name] = table if factor is None else {"factor": factor, **table}
        self.names.setdefault((factor, rep), name)

    def part(self, rep: _Entry) -> tuple[str, int]:
        """The name of a part that only a table can say: a new one, which begins with an underscore."""
        name = f"_{len(self.reps)}"
        while name in self.reps:
            name += "_"
        self.enter(name, rep, self.factor)
        return name, _ATOM

    def lifted(self, rep: Lifted) -> str:
        outer, self.factor = self.factor, rep.factor
        inner = self.text(rep.rep, _SUM)
        self.factor = outer
        return f"lift({inner}, {rep.factor})"


@singledispatch
def _write(rep: Rep, writer: _Writer) -> tuple[str, int]:
    raise _unwritten(rep)


def _unwritten(rep: Rep) -> SpecError:
    return SpecError(
        f"{shorten(str(rep))}: a {type(rep).__name__} cannot be written to a file; declare it by its images, rc.Rep(...)"
    )


@_write.register
def _(rep: Defining, writer: _Writer) -> tuple[str, int]:
    return "V", _ATOM


@_write.register
def _(rep: Trivial, writer: _Writer) -> tuple[str, int]:
    return "1", _ATOM


@_write.register
def _(rep: Sum, writer: _Writer) -> tuple[str, int]:
    if all(isinstance(v, Trivial) for _, v in rep.terms):
        # "2*1" would be the number 2, and "2*V" with it two copies instead of a tensor product.
        return f"{sum(m for m, _ in rep.terms)}*trivial", _PRODUCT
    terms = [writer.text(v, _PRODUCT) if m == 1 else f"{m}*{writer.text(v, _POWER)}" for m, v in rep.terms]
    if len(rep.terms) == 1:
        return (terms[0], _PRODUCT) if rep.terms[0][0] > 1 else (f"{terms[0]} + 0*trivial", _SUM)
    return " + ".join(terms), _SUM


@_write.register
def _(rep: Product, writer: _Writer) -> tuple[str, int]:
    runs = [(v, len(list(run))) for v, run in groupby(rep.factors)]
    texts = [writer.text(v, _ATOM) + (f"**{k}" if k > 1 else "") for v, k in runs]
    return "*".join(texts), _PRODUCT if len(runs) > 1 else _POWER


@_write.register(Dual)
@_write.register(Conjugate)
@_write.register(Realified)
def _(rep: Dual | Conjugate | Realified, writer: _Writer) -> tuple[str, int]:
    name = {Dual: "dual", Conjugate: "conj", Realified: "realify"}[type(rep)]
    return f"{name}({writer.text(rep.rep, _SUM)})", _ATOM


@_write.register(Sym)
@_write.register(Alt)
def _(rep: Sym | Alt, writer: _Writer) -> tuple[str, int]:
    return f"{type(rep).__name__.lower()}({writer.text(rep.rep, _SUM)}, {rep.k})", _ATOM


@_write.register
def _(rep: Lifted, writer: _Writer) -> tuple[str, int]:
    return writer.lifted(rep), _ATOM


@_write.register(Custom)
@_write.register(Induced)
@_write.register(Irrep)
@_write.register(Quotient)
@_write.register(Restriction)
@_write.register(Tensors)
def _(rep: _Entry, writer: _Writer) -> tuple[str, int]:
    return writer.part(rep)


def _table(rep: _Entry, name: str, writer: _Writer) -> dict[str, Any]:
    if isinstance(rep, Tensors):
        texts = [writer.text(v, _SUM) for v in rep.factors]
        # Letters of the canonical formula stand in the order of the axes.
        of = texts[0] if len(set(rep.factors)) == 1 else dict(zip(rep.formula, texts, strict=False))
        return {"tensors": rep.formula, "of": of}
    if isinstance(rep, Restriction | Induced):
        inner = _Writer()
        text = inner.text(rep.rep, _SUM)
        parts = {"reps": inner.reps} if inner.reps else {}
        return {"induced" if isinstance(rep, Induced) else "restrict": text, "of": write_group(rep.rep.group), **parts}
    if isinstance(rep, Irrep):
        return {"irreps": rep.label}
    if isinstance(rep, Quotient):
        generators = rep.subgroup.discrete
        if rep.group.is_permutation and rep.subgroup.is_permutation:
            return {"quotient": [g.T.cols.tolist() for g in generators]}
        return {"quotient": plain_matrices(generators)}
    label = {"name": rep.name} if rep.name != name else {}
    if not rep.lie and rep.discrete and all(m.is_permutation for m in rep.discrete):
        return {"permutations": [m.T.cols.tolist() for m in rep.discrete], **label}
    parts = {"discrete": plain_matrices(rep.discrete), "lie": plain_matrices(rep.lie)}
    return {**{k: v for k, v in parts.items() if v}, **label}


# -- TOML --------------------------------------------------------------------------------------------------------------


def toml(data: dict[str, Any]) -> str:
    """The TOML text of the tables, with a line for each generator: tomli_w would give one to each number."""
    lines: list[str] = []
    for section, table in data.items():
        lines += [f"[{section}]", *(f"{_key(key)} = {_value(value)}" for key, value in table.items()), ""]
    return "\n".join(lines)


def _key(key: str) -> str:
    from tomli_w import dumps

    return dumps({key: 0}).rpartition(" = ")[0]


def _value(value: object) -> str:
    if isinstance(value, list) and len(cast(list[object], value)) > 1:
        return "[\n" + "".join(f"    {_inline(x)},\n" for x in cast(list[object], value)) + "]"
    return _inline(cast(object, value))


def _inline(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, cast(list[object], value)))}]"
    if isinstance(value, dict):
        pairs = cast(dict[str, object], value).items()
        return f"{{ {', '.join(f'{_key(k)} = {_inline(v)}' for k, v in pairs)} }}"
    if isinstance(value, int):
        return str(value)
    from tomli_w import dumps

    return dumps({"x": value}).partition(" = ")[2].rstrip("\n")
