"""The words of the language, and plain names for the parts of Python that it leaves out."""

from __future__ import annotations

import ast
from collections.abc import Mapping

__all__ = ["BINARY_OF", "COMPARISON_OF", "FOLDED", "RESERVED", "SINGLE", "outside"]

BINARY_OF: Mapping[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.LShift: "<<",
    ast.RShift: ">>",
}
COMPARISON_OF: Mapping[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
FOLDED = ("min", "max")  # called with two arguments or more
SINGLE = ("abs", "ilog2")

RESERVED = frozenset((*FOLDED, *SINGLE))  # a local of such a name would hide a word of the language

_OUTSIDE: Mapping[type[ast.AST], str] = {
    ast.For: "a loop",
    ast.AsyncFor: "a loop",
    ast.While: "a loop",
    ast.Import: "an import",
    ast.ImportFrom: "an import",
    ast.ClassDef: "a class",
    ast.FunctionDef: "a function inside a function",
    ast.AsyncFunctionDef: "an async function",
    ast.Lambda: "a lambda",
    ast.Attribute: "an attribute",
    ast.Subscript: "an index",
    ast.List: "a list",
    ast.Tuple: "a tuple",
    ast.Dict: "a dictionary",
    ast.Set: "a set",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.JoinedStr: "a string",
    ast.Starred: "a star",
    ast.NamedExpr: "an assignment inside an expression",
    ast.Await: "await",
    ast.Yield: "yield",
    ast.YieldFrom: "yield",
    ast.Expr: "an expression whose value is not used",
    ast.Pass: "pass",
    ast.Assign: "assignment to several names",
    ast.AnnAssign: "an annotated assignment",
    ast.Delete: "del",
    ast.Raise: "raise",
    ast.Try: "try",
    ast.Assert: "assert",
    ast.With: "with",
    ast.Global: "global",
    ast.Nonlocal: "nonlocal",
    ast.Match: "match",
    ast.Break: "break",
    ast.Continue: "continue",
    ast.Div: "/ (use // for whole numbers)",
    ast.Pow: "**",
    ast.MatMult: "@",
    ast.BitAnd: "& (use 'and', or % for low bits)",
    ast.BitOr: "| (use 'or')",
    ast.BitXor: "^",
    ast.Invert: "~",
    ast.UAdd: "a plus sign",
    ast.Is: "'is'",
    ast.IsNot: "'is not'",
    ast.In: "'in'",
    ast.NotIn: "'not in'",
    ast.Call: "such a call",
}


def outside(node: ast.AST) -> str:
    """Return what to call a part of Python that the language leaves out."""
    return f"{_OUTSIDE.get(type(node), type(node).__name__)}: outside of the language"
