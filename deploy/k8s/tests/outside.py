"""Secrets and Services that operators make, as the release's custom resources ask for them."""

import re

from objects import Metadata, Named, Part, Variable
from pydantic import Field
from release import Release

UNKNOWN = "known elsewhere"
_LOOKED_UP = re.compile(r"\{\{ *\.\w+ *\}\}")


class MetadataOfSecret(Part):
    labels: dict[str, str] = Field(default_factory=dict)


class TemplateOfSecret(Part):
    merge_policy: str = "Replace"
    metadata: MetadataOfSecret = MetadataOfSecret()
    data: dict[str, str] = Field(default_factory=dict)


class TargetOfSecret(Part):
    name: str
    template: TemplateOfSecret | None = None


class RemoteKey(Part):
    secret_key: str


class ExternalSecretSpec(Part):
    target: TargetOfSecret
    data: tuple[RemoteKey, ...] = ()

    @property
    def values(self) -> dict[str, str]:
        """What the Secret has: the template's keys, and those that are read where there is none or it says so."""
        template = self.target.template or TemplateOfSecret.model_validate({"mergePolicy": "Merge"})
        read = {each.secret_key: UNKNOWN for each in self.data} if template.merge_policy == "Merge" else {}
        return read | {key: _filled(text) for key, text in template.data.items()}


def _filled(template: str) -> str:
    """Words in place of what is looked up; what is computed of it stays unknown."""
    filled = _LOOKED_UP.sub("word", template)
    return UNKNOWN if "{{" in filled else filled


class ExternalSecret(Named):
    spec: ExternalSecretSpec


class PrivateKey(Part):
    rotation_policy: str = "Always"


class CertificateSpec(Part):
    secret_name: str
    is_authority: bool = Field(default=False, alias="isCA")
    private_key: PrivateKey
    dns_names: tuple[str, ...] = ()


class Certificate(Named):
    spec: CertificateSpec


_OF_CERTIFICATES = ("tls.crt", "tls.key", "ca.crt")


def made_by_operators(release: Release) -> dict[str, dict[str, str]]:
    """Secrets by their names."""
    external = {each.spec.target.name: each.spec.values for each in release.reachable(ExternalSecret)}
    certificates = {
        each.spec.secret_name: dict.fromkeys(_OF_CERTIFICATES, UNKNOWN) for each in release.reachable(Certificate)
    }
    return external | certificates


class ServiceTemplate(Part):
    metadata: Metadata


class AdditionalService(Part):
    service_template: ServiceTemplate


class ManagedServices(Part):
    additional: tuple[AdditionalService, ...] = ()


class Managed(Part):
    services: ManagedServices = ManagedServices()


class InheritedMetadata(Part):
    labels: dict[str, str]


class Postgresql(Part):
    parameters: dict[str, str]


class SecretName(Part):
    name: str


class BootstrapBy(Part):
    secret: SecretName


class Bootstrap(Part):
    initdb: BootstrapBy | None = None
    recovery: BootstrapBy | None = None


class Storage(Part):
    size: str


class ClusterSpec(Part):
    instances: int
    wal_storage: Storage | None = None
    superuser_secret: SecretName
    bootstrap: Bootstrap
    env: list[Variable]
    postgresql: Postgresql
    inherited_metadata: InheritedMetadata
    managed: Managed = Managed()


class Cluster(Named):
    """Of CloudNativePG."""

    spec: ClusterSpec


def made_services(release: Release) -> set[str]:
    """CloudNativePG makes three for each cluster, and those that are asked for."""
    return {
        name
        for cluster in release.reachable(Cluster)
        for name in (
            *(f"{cluster.name}-{suffix}" for suffix in ("rw", "ro", "r")),
            *(each.service_template.metadata.name for each in cluster.spec.managed.services.additional),
        )
    }
