"""A private certificate authority for one hub: `mqtt-hub cert`.

::

    HOME/tls/   ca.pem   ca.key            the authority; nodes get ca.pem, the key stays here (0600)
                server.pem  server.key     what the hub shows; made anew, it is taken up without a restart
                NAME.pem  NAME.key         for a client, where the hub asks for certificates

Keys are P-256, unencrypted and readable by this user alone.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mqtt_hub.home import write_private
from mqtt_hub.protocol.errors import ConfigurationError
from mqtt_hub.protocol.topics import NAME

__all__ = ["Authority"]

AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 825
SKEW = dt.timedelta(days=1)  # small machines wake with a clock that is behind
_RESERVED = frozenset({"ca", "server"})


class Authority:
    """The authority in a directory; made where there is none."""

    def __init__(self, directory: Path, *, now: dt.datetime) -> None:
        self._directory, self._now = directory, now
        self.certificate_path = directory / "ca.pem"
        key_path = directory / "ca.key"
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self.certificate_path.exists():
                self._make(key_path)
            self._certificate = x509.load_pem_x509_certificate(self.certificate_path.read_bytes())
            key = serialization.load_pem_private_key(key_path.read_bytes(), None)
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"no certificate authority in {directory}: {error}", hint="remove ca.pem and ca.key to make a new one"
            ) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ConfigurationError(f"{key_path}: not a key that mqtt-hub made")
        self._key = key

    def issue_server(self, hosts: Sequence[str]) -> Path:
        """Make ``server.pem`` for these host names and addresses, and its key; return the certificate's file."""
        names: list[x509.GeneralName] = []
        for host in dict.fromkeys((*hosts, "localhost", "127.0.0.1", "::1")):
            try:
                names.append(x509.IPAddress(ipaddress.ip_address(host)))
            except ValueError:
                names.append(_dns_name(host))
        return self._issue("server", ExtendedKeyUsageOID.SERVER_AUTH, names)

    def issue_client(self, name: str) -> Path:
        """Make ``NAME.pem`` for an account, and its key; return the certificate's file."""
        if NAME.fullmatch(name) is None or name in _RESERVED:
            raise ConfigurationError(f"{name!r} is no node name", hint="letters, digits, _ and -, at most 64")
        return self._issue(name, ExtendedKeyUsageOID.CLIENT_AUTH, [x509.DNSName(name)])

    def _make(self, key_path: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _subject("mqtt-hub private authority")
        usage = x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        certificate = (
            self._builder(subject, subject, key, AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        _write(key_path, key)
        write_private(self.certificate_path, _pem(certificate))

    def _issue(self, stem: str, usage: x509.ObjectIdentifier, names: list[x509.GeneralName]) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            self._builder(_subject(stem), self._certificate.subject, key, CERTIFICATE_DAYS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        path = self._directory / f"{stem}.pem"
        _write(path.with_suffix(".key"), key)
        write_private(path, _pem(certificate))
        return path

    def _builder(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - SKEW)
            .not_valid_after(self._now + dt.timedelta(days=days))
        )


def _dns_name(host: str) -> x509.DNSName:
    try:
        return x509.DNSName(host)
    except ValueError:
        raise ConfigurationError(f"{host!r} is no host name", hint="write international names in punycode") from None


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _write(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(path, pem.decode())
