"""Read a component's source: Python's own grammar first, then only what the language admits.

::

    source ──ast.parse──▶ Python's tree ──Reader──▶ checked tree (Component)
                 │                           │
                 └──────── PolicyError(line, column, facts, hint) ◀┘

One pass per function checks the vocabulary, that a local is assigned before it is read on every path, that
every path returns, and that actions stand only where the function returns them. A feature cannot be assigned:
``mark = mark + 1`` is read as a local ``mark_`` that starts as the feature.
"""

from __future__ import annotations

import ast
import warnings
from functools import lru_cache

from trainers.policy.errors import PolicyError
from trainers.policy.kind import Form
from trainers.policy.reader import Budget, Reader, nearest, refuse
from trainers.policy.tree import DEPTH_MAX, SOURCE_BYTES_MAX, Component, Expression, FunctionDef
from trainers.policy.vocabulary import outside

__all__ = ["complete", "parse", "parse_expression"]


def parse(source: str, form: Form) -> Component:
    """Read and check ``source`` as a component of ``form``; raise `PolicyError` at the first objection."""
    size_bytes = len(source.encode("utf-8", "surrogatepass"))
    if size_bytes > SOURCE_BYTES_MAX:
        raise PolicyError(1, 1, f"{size_bytes} bytes of source; the limit is {SOURCE_BYTES_MAX}", "shorten it")
    budget = Budget()
    found: dict[str, FunctionDef] = {}
    for node in _python(source).body:
        if not isinstance(node, ast.FunctionDef):
            known = ", ".join(form.functions)
            refuse(node, f"{outside(node)} at the top level", f"a component is a sequence of: {known}")
        if node.name not in form.functions:
            refuse(node, f"unknown function '{node.name}'", nearest(node.name, form.functions))
        if node.name in found:
            refuse(node, f"function '{node.name}' is given twice", "keep one of them")
        found[node.name] = Reader(form, form.functions[node.name], budget).function(node)
    if not found:
        raise PolicyError(1, 1, "no function given", f"give at least one of: {', '.join(form.functions)}")
    return Component(form, {name: found[name] for name in form.functions if name in found})


def parse_expression(source: str, form: Form, function: str) -> Expression:
    """Read ``source`` as an integer expression over the features of one function; raise `PolicyError`."""
    if function not in form.functions:
        raise PolicyError(1, 1, f"unknown function '{function}'", nearest(function, form.functions))
    if len(source) > SOURCE_BYTES_MAX:
        raise PolicyError(1, 1, f"{len(source)} characters; the limit is {SOURCE_BYTES_MAX}", "shorten it")
    body = _python(source).body
    if len(body) != 1 or not isinstance(body[0], ast.Expr):
        raise PolicyError(1, 1, "not one expression", "write something like: mark + 1")
    reader = Reader(form, form.functions[function], Budget())
    reader.parameters = reader.seen
    return reader.value(body[0].value, frozenset(), 1)


def complete(component: Component) -> Component:
    """Return the component with the form's default for every function that it does not give."""
    functions = {
        name: component.functions.get(name) or _default(component.form, name) for name in component.form.functions
    }
    return Component(component.form, functions)


@lru_cache(maxsize=256)
def _default(form: Form, name: str) -> FunctionDef:
    return parse(form.functions[name].default, form).functions[name]


def _python(source: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python's advice on style; what it rejects we reject
            return ast.parse(source, "policy")
    except SyntaxError as error:
        facts = f"not Python: {error.msg}"
        raise PolicyError(error.lineno or 1, max(error.offset or 1, 1), facts, "mend the syntax") from None
    except (RecursionError, MemoryError):
        raise PolicyError(1, 1, "nested too deeply", f"at most {DEPTH_MAX} levels") from None
    except ValueError as error:  # null bytes, lone surrogates
        raise PolicyError(1, 1, f"not text: {error}", "write plain ASCII") from None
