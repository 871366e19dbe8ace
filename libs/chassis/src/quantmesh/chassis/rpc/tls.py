"""Mutual TLS from the files that cert-manager mounts, read again when they change."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from prometheus_client import Gauge

from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

_CERTIFICATE: Final = "tls.crt"
_KEY: Final = "tls.key"
_AUTHORITIES: Final = "ca.crt"
# By file, so that a service without TLS exports no expiry at all, instead of one in 1970.
_EXPIRY = Gauge(
    "quantmesh_certificate_expiry_timestamp_seconds", "When the certificate in use ends, Unix time", ["file"]
)


class UnusableCertificate(Exception):
    """Says which file cannot be used, and why."""


@dataclass(frozen=True, eq=False)
class KeyMaterial:
    """One state of the files, as PEM."""

    certificate_chain: bytes
    private_key: bytes
    authorities: bytes

    def channel_credentials(self) -> grpc.ChannelCredentials:
        return grpc.ssl_channel_credentials(self.authorities, self.private_key, self.certificate_chain)

    def server_configuration(self) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration([(self.private_key, self.certificate_chain)], self.authorities)


class TlsFolder:
    """`tls.crt`, `tls.key` and `ca.crt` in `folder`. Raises UnusableCertificate where they cannot be used at the start.

    Later on, files that cannot be used are logged, and what was read before stays: they may be half replaced.
    """

    def __init__(self, folder: Path, *, check_seconds: float = 1.0) -> None:
        self._folder = folder
        self._check_seconds = check_seconds
        # gRPC asks from threads of its own.
        self._lock = threading.Lock()
        self._state = self._look()
        self._material = self._read()
        self._checked = time.monotonic()

    def newest(self) -> KeyMaterial:
        """The same object until the files change, which is noticed after `check_seconds` at most."""
        with self._lock:
            now = time.monotonic()
            if now - self._checked >= self._check_seconds:
                self._checked = now
                self._renew()
            return self._material

    def server_credentials(self) -> grpc.ServerCredentials:
        """The newest for every connection; a client without a certificate from the authorities is refused."""
        in_use = self.newest()

        def changed() -> grpc.ServerCertificateConfiguration | None:
            nonlocal in_use
            newest = self.newest()
            if newest is in_use:
                return None
            in_use = newest
            return newest.server_configuration()

        return grpc.dynamic_ssl_server_credentials(
            in_use.server_configuration(),
            changed,  # type: ignore[arg-type]  # None is "no change", which the stubs do not know
            require_client_authentication=True,
        )

    def _renew(self) -> None:
        # Looked at before they are read: a change meanwhile is seen the next time.
        state = self._look()
        if state == self._state:
            return
        self._state = state
        try:
            self._material = self._read()
        except UnusableCertificate as error:
            log.warning("certificate not renewed", folder=str(self._folder), error=str(error))
        else:
            log.info("certificate renewed", folder=str(self._folder))

    def _look(self) -> list[tuple[int, int] | None]:
        return [_identity(self._folder / name) for name in (_CERTIFICATE, _KEY, _AUTHORITIES)]

    def _read(self) -> KeyMaterial:
        material = KeyMaterial(*(self._contents(name) for name in (_CERTIFICATE, _KEY, _AUTHORITIES)))
        certificate = self._certificates(_CERTIFICATE, material.certificate_chain)[0]
        self._certificates(_AUTHORITIES, material.authorities)
        try:
            key = load_pem_private_key(material.private_key, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            msg = f"{self._folder / _KEY} holds no private key in PEM without a password."
            raise UnusableCertificate(msg) from error
        if key.public_key() != certificate.public_key():
            msg = f"The key in {self._folder / _KEY} is not that of the first certificate in {_CERTIFICATE}."
            raise UnusableCertificate(msg)
        _EXPIRY.labels(str(self._folder / _CERTIFICATE)).set(certificate.not_valid_after_utc.timestamp())
        return material

    def _contents(self, name: str) -> bytes:
        try:
            return (self._folder / name).read_bytes()
        except OSError as error:
            msg = f"{self._folder / name} cannot be read: {error.strerror}."
            raise UnusableCertificate(msg) from error

    def _certificates(self, name: str, pem: bytes) -> list[x509.Certificate]:
        try:
            return x509.load_pem_x509_certificates(pem)
        except ValueError as error:
            msg = f"{self._folder / name} holds no certificate in PEM."
            raise UnusableCertificate(msg) from error


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
