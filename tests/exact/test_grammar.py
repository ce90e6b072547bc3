"""The grammar: structure of the tree, precedence against Python's own, messages, hostile texts."""

from __future__ import annotations

import ast
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repcore.errors import DeclarationError, NumberError
from repcore.exact.grammar import Binary, Call, Decimal, Integer, Name, Node, Unary, parse, shorten


def bracketed(node: Node) -> str:
    """The tree as a fully bracketed text."""
    match node:
        case Integer(value):
            return str(value)
        case Decimal(value):
            return f"dec({value})"
        case Name(id):
            return id
        case Unary(op, operand):
            return f"({op}{bracketed(operand)})"
        case Binary(op, left, right):
            return f"({bracketed(left)}{op}{bracketed(right)})"
        case Call(name, args):
            return f"{name}[{','.join(map(bracketed, args))}]"


def bracketed_by_python(text: str) -> str:
    """The same from Python's parser, an independent oracle for precedence (Python's ast is only read, never run)."""
    signs = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.USub: "-", ast.UAdd: "+"}

    def walk(node: ast.AST) -> str:
        match node:
            case ast.Constant(value):
                return str(value)
            case ast.Name(id):
                return id
            case ast.UnaryOp(op, operand):
                return f"({signs[type(op)]}{walk(operand)})"
            case ast.BinOp(left, op, right):
                return f"({walk(left)}{signs[type(op)]}{walk(right)})"
            case ast.Call(ast.Name(id), args):
                return f"{id}[{','.join(map(walk, args))}]"
        raise AssertionError(node)

    return walk(ast.parse(text, mode="eval").body)


ATOMS = st.sampled_from(["1", "20", "x", "V", "f(x)", "sym(V, 2)", "g(1 + 2*x)"])
TEXTS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds(lambda a, op, b: f"{a} {op} {b}", inner, st.sampled_from(["+", "-", "*", "/", "**"]), inner),
        st.builds(lambda a: f"({a})", inner),
        st.builds(lambda op, a: f"{op}{a}", st.sampled_from(["-", "+"]), inner),
        st.builds(lambda a, b: f"h({a}, {b})", inner, inner),
    ),
    max_leaves=12,
)


@given(TEXTS)
def test_precedence_is_that_of_python(text: str) -> None:
    assert bracketed(parse(text)) == bracketed_by_python(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4*1 + 2*V**3 + dual(V) + sym(V, 2)", "((((4*1)+(2*(V**3)))+dual[V])+sym[V,2])"),
        ("-2**2", "(-(2**2))"),
        ("2**-1*3", "((2**(-1))*3)"),
        ("2**3**2", "(2**(3**2))"),
        ("1 - 2 - 3", "((1-2)-3)"),
        ("0.25 + .5 + 3.", "((dec(1/4)+dec(1/2))+dec(3))"),
        (" \n( a )\t", "a"),
    ],
)
def test_structure(text: str, expected: str) -> None:
    assert bracketed(parse(text)) == expected


def test_nodes_know_their_position_and_are_frozen() -> None:
    node = parse("10 + f(x, 0.1)")
    assert node == Binary("+", Integer(10, 0), Call("f", (Name("x", 7), Decimal(Fraction(1, 10), 10)), 5), 3)
    with pytest.raises(AttributeError):
        node.position = 4  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("", ["empty"]),
        ("  \n", ["empty"]),
        ("1 +* 2", ["'1 +* 2'", "position 3", "'*'"]),
        ("(1", ["position 2", "'('", "position 0"]),
        ("1)", ["position 1", "')'"]),
        ("f(1 2)", ["position 4", "','"]),
        ("f()", ["position 2", "')'"]),
        ("2 V", ["position 2", "'V'", "operator"]),
        ("x ^ 2", ["position 2", "**"]),
        ("x -> y", ["position 3", "stands >>, X >> Y"]),
        ("__import__('os')", ["position 11", "not part of the grammar"]),
        ("a.b", ["position 1"]),
        ("x[0]", ["position 1"]),
        ("½", ["position 0"]),
        ("1\u0661", ["position 1"]),
        ("a if b else c", ["position 2"]),
        ("lambda: 1", ["position 6"]),
        ("1" * 201, ["200 digits"]),
        ("(" * 2000, ["2000 characters", "1000"]),
        ("(" * 60 + "1" + ")" * 60, ["nesting", "50"]),
        ("-" * 100 + "1", ["nesting"]),
        ("**".join("2" * 80), ["nesting"]),
        ("f(" * 60 + "1" + ")" * 60, ["nesting"]),
        ("1" + "+1" * 300, ["200 operands"]),
    ],
)
def test_messages_name_place_position_and_repair(text: str, fragments: list[str]) -> None:
    started = time.perf_counter()
    with pytest.raises(NumberError) as caught:
        parse(text, "discrete[1][0][2]")
    assert time.perf_counter() - started < 0.5
    message = str(caught.value)
    assert message.startswith("discrete[1][0][2]: ")
    assert len(message) < 400
    for fragment in fragments:
        assert fragment in message


def test_the_error_class_is_chosen_by_the_caller() -> None:
    with pytest.raises(DeclarationError, match=r"reps\.X"):
        parse("V >> W", "reps.X", error=DeclarationError)
    with pytest.raises(DeclarationError, match="int"):
        parse(3, "reps.X", error=DeclarationError)  # type: ignore[arg-type]


def test_every_operand_chain_below_the_cap_is_read() -> None:
    node, length = parse("1" + "+1" * 199), 1
    while isinstance(node, Binary):
        node, length = node.left, length + 1
    assert length == 200


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_our_error(text: str) -> None:
    try:
        node = parse(text)
    except NumberError:
        with pytest.raises(NumberError, match=r"^text: "):
            parse(text)
    else:
        assert bracketed(node)


def test_shorten_keeps_both_ends() -> None:
    text = "a" * 50 + "z" * 50
    assert len(shorten(text)) == 60
    assert shorten(text).startswith("aaa")
    assert shorten(text).endswith("zzz")
