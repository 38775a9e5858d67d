"""A token as the other brokers want to see it in their password files.

::

    token ──▶ $7$101$salt$…  PBKDF2-SHA512, mosquitto 2.0's own format (mosquitto_passwd)
          └─▶ $2b$04$…       bcrypt, the only hash that nats-server takes

Written when the token is made, for then it is known; kept beside the hub's own argon2 hash. A token has 256 random
bits, which no stretching need protect: the cheapest parameters that the brokers know, so that a fleet that
reconnects costs them little.
"""

from __future__ import annotations

import base64
import hashlib
import secrets

import bcrypt

__all__ = ["bcrypt_verifier", "mosquitto_verifier"]

_ITERATIONS = 101  # mosquitto's default
_SALT_BYTES = 12  # and its salt
_BCRYPT_ROUNDS = 4  # the least there is: 2^4


def mosquitto_verifier(token: str) -> str:
    """Return what stands after ``NAME:`` in a mosquitto password file."""
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", token.encode(), salt, _ITERATIONS)
    return f"$7${_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def bcrypt_verifier(token: str) -> str:
    """Return what stands as ``password`` of a user in a nats-server configuration."""
    return bcrypt.hashpw(token.encode(), bcrypt.gensalt(_BCRYPT_ROUNDS)).decode()
