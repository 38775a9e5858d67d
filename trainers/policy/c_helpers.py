"""The C helpers: operators that wrap, floor and never trap, and the form's actions."""

from __future__ import annotations

from collections.abc import Mapping

from trainers.policy.kind import Action, Form

__all__ = ["C_WORDS", "HEADER", "helper_names", "helpers"]

HEADER = """#ifdef __KERNEL__
#include <linux/types.h>
#else
typedef long long s64;
typedef unsigned long long u64;
#endif
"""

# Names that C, or the compiler's own macros, have taken.
C_WORDS = frozenset(
    [
        "asm",
        "auto",
        "break",
        "case",
        "char",
        "const",
        "continue",
        "default",
        "do",
        "double",
        "else",
        "enum",
        "extern",
        "float",
        "for",
        "goto",
        "if",
        "inline",
        "int",
        "long",
        "register",
        "restrict",
        "return",
        "short",
        "signed",
        "sizeof",
        "static",
        "struct",
        "switch",
        "typedef",
        "typeof",
        "union",
        "unsigned",
        "void",
        "volatile",
        "while",
        "bool",
        "true",
        "false",
        "main",
        "s64",
        "u64",
        "linux",
        "unix",
        "i386",
    ]
)

# name: (parameters, body); an s64 that does not fit a signed result comes back through u64, modulo 2^64.
_HELPERS: Mapping[str, tuple[str, str]] = {
    "add_wrap": ("s64 a, s64 b", "return (s64)((u64)a + (u64)b);"),
    "sub_wrap": ("s64 a, s64 b", "return (s64)((u64)a - (u64)b);"),
    "mul_wrap": ("s64 a, s64 b", "return (s64)((u64)a * (u64)b);"),
    "neg_wrap": ("s64 a", "return (s64)(0 - (u64)a);"),
    "abs_s64": ("s64 a", "return a < 0 ? (s64)(0 - (u64)a) : a;"),
    "min_s64": ("s64 a, s64 b", "return a < b ? a : b;"),
    "max_s64": ("s64 a, s64 b", "return a > b ? a : b;"),
    "or_s64": ("s64 a, s64 b", "return a ? a : b;"),
    "clamp_s64": ("s64 a, s64 low, s64 high", "return a < low ? low : a > high ? high : a;"),
    "ilog2_s64": ("s64 a", "return a > 0 ? 63 - __builtin_clzll((u64)a) : 0;"),
    "shift_left": ("s64 a, s64 count", "return (s64)((u64)a << (count & 63));"),
    "shift_right": ("s64 a, s64 count", "return a >> (count & 63);"),
    "div_floor": (
        "s64 a, s64 b",
        """if (b == 0)
		return 0;
	if (b == -1)
		return (s64)(0 - (u64)a);
	return a / b - (a % b != 0 && (a < 0) != (b < 0));""",
    ),
    "mod_floor": (
        "s64 a, s64 b",
        "if (b == 0 || b == -1)\n\t\treturn 0;\n\treturn a % b + (a % b != 0 && (a < 0) != (b < 0) ? b : 0);",
    ),
}


def helper_names(form: Form) -> frozenset[str]:
    """Return every name that a helper may take."""
    return frozenset((*_HELPERS, *form.actions))


def helpers(form: Form, used: frozenset[str]) -> list[str]:
    """Return the text of the helpers that are used, those of actions last."""
    actions = [action for name, action in form.actions.items() if name in used]
    needed = used | {"clamp_s64"} if any(action.arguments for action in actions) else used
    plain = [_text(name, *_HELPERS[name]) for name in _HELPERS if name in needed]
    return plain + [_action(action) for action in actions]


def _text(name: str, parameters: str, body: str) -> str:
    return f"static inline s64 {name}({parameters})\n{{\n\t{body}\n}}\n"


def _action(action: Action) -> str:
    parameters = ", ".join(f"s64 {name}" for name, _, _, _ in action.arguments) or "void"
    parts = [f"({action.code} << 16)"]
    for name, low, high, shift in action.arguments:
        clamped = f"clamp_s64({name}, {low}, {high})"
        parts.append(f"({clamped} << {shift})" if shift else clamped)
    return _text(action.name, parameters, f"return {' + '.join(parts)};")
