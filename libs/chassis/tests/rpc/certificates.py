"""Certificates as cert-manager issues them, in folders that are replaced as the kubelet replaces a mounted Secret."""

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_SWAPS = itertools.count()


class Authority:
    """Issues certificates for an hour, or for one that is over."""

    def __init__(self, name: str = "mesh") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        builder = _builder(self._name, self._name, self._key.public_key(), datetime.now(UTC) + timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.pem = builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def issue(self, *hosts: str, expired: bool = False) -> tuple[dict[str, bytes], int]:
        """The three files, and the certificate's serial number."""
        key = ec.generate_private_key(ec.SECP256R1())
        end = datetime.now(UTC) + timedelta(hours=-1 if expired else 1)
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        builder = _builder(_name(hosts[0]), self._name, key.public_key(), end).add_extension(names, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        files = {
            "tls.crt": certificate.public_bytes(Encoding.PEM),
            "tls.key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            "ca.crt": self.pem,
        }
        return files, certificate.serial_number

    def mount(self, folder: Path, *hosts: str, expired: bool = False) -> int:
        """Issue into `folder`; the serial number."""
        files, serial = self.issue(*hosts, expired=expired)
        swap(folder, files)
        return serial


def swap(folder: Path, files: dict[str, bytes]) -> None:
    """All of the files at once, by the rename of a link."""
    version = folder / f"..{next(_SWAPS)}"
    version.mkdir(parents=True)
    for name, content in files.items():
        (version / name).write_bytes(content)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(Path("..data") / name)
    link = folder / "..new"
    link.symlink_to(version.name)
    link.rename(folder / "..data")


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, end: datetime
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number(), end - timedelta(days=2), end)
