"""The policy language: one checked tree, four faces.

::

    source ──parse──▶ Component ──canonical──▶ source, SHA-256 id
                          ├──────to_wasm─────▶ bytes that run in an arena
                          ├──────to_c────────▶ C that a kernel developer reads
                          ├──────interpret───▶ plain Python, the truth the others are compared with
                          └──────simplify────▶ the same behaviour without junk

``docs/policy-language.md`` is the reference.
"""

from trainers.policy.errors import PolicyError
from trainers.policy.interpret import interpret
from trainers.policy.kernel_c import to_c
from trainers.policy.kind import Action, Feature, Form, Function, Unit
from trainers.policy.parse import complete, parse
from trainers.policy.simplify import simplify
from trainers.policy.source import canonical, component_id
from trainers.policy.tree import Component
from trainers.policy.wasm import to_wasm

__all__ = [
    "Action",
    "Component",
    "Feature",
    "Form",
    "Function",
    "PolicyError",
    "Unit",
    "canonical",
    "complete",
    "component_id",
    "interpret",
    "parse",
    "simplify",
    "to_c",
    "to_wasm",
]
