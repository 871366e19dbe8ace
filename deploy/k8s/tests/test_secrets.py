"""What is secret lies in Secrets and nowhere else."""

import json

from environment import secret_values
from objects import Secret
from outside import Certificate, Cluster, ExternalSecret
from release import Release
from rendering import UMBRELLA, Values, render
from test_settings import started

# Shorter values are names and addresses.
_SECRET_LENGTH = 16
# What `generate` cannot make.
_OURS = {
    "blockchain": {"secrets": {"blockchain_private_key": {"generate": "key"}}},
    "evm": {"externalUrl": "https://node"},
}


def test_no_secret_is_written_into_another_object(release: Release) -> None:
    passwords = {
        value
        for name in release.secrets()
        for key, value in secret_values(release, name).items()
        if len(value) >= _SECRET_LENGTH and not key.lower().endswith(("username", "email"))
    }
    written = {str(m): json.dumps(m.content) for m in release.manifests if m.kind != "Secret"}
    assert [name for name, text in written.items() if any(password in text for password in passwords)] == []


def test_settings_that_are_secret_come_from_secrets(release: Release) -> None:
    secret_names = {name for each in started() for name in each.secret}
    assert secret_names
    open_names = {key for each in release.config_maps().values() for key in each.data}
    plain_names = {v.name for w in release.workloads() for c in w.pod.all_containers for v in c.env if v.value}
    assert secret_names & (open_names | plain_names) == set()


def test_cloudnativepg_takes_up_the_passwords_that_are_exchanged(release: Release) -> None:
    """It watches no Secret of others without this label: the migrations of an upgrade came with a password too new."""
    external = {each.spec.target.name: each.spec.target.template for each in release.of(ExternalSecret)}
    for cluster in release.of(Cluster):
        for name in _passwords_of(cluster):
            template = external[name]
            assert template
            assert template.metadata.labels == {"cnpg.io/reload": "true"}, name


def test_it_takes_up_those_that_helm_makes_anew() -> None:
    generated = Release(
        "prod", tuple(render(UMBRELLA, "prod", {"global": {"secrets": {"source": "generate"}}, **_OURS}))
    )
    secrets = {each.name: each for each in generated.of(Secret)}
    (cluster,) = generated.of(Cluster)
    followed = {name for name, secret in secrets.items() if "cnpg.io/reload" in secret.metadata.labels}
    assert followed == _passwords_of(cluster)


def _passwords_of(cluster: Cluster) -> set[str]:
    begun = cluster.spec.bootstrap.initdb or cluster.spec.bootstrap.recovery
    assert begun
    return {cluster.spec.superuser_secret.name, begun.secret.name}


def test_an_authority_keeps_its_key_and_nobody_else_does(release: Release) -> None:
    """cert-manager renews it by itself; with another key it would trust none of the certificates of before."""
    for certificate in release.of(Certificate):
        kept = certificate.spec.private_key.rotation_policy == "Never"
        assert kept is certificate.spec.is_authority, str(certificate)


def test_a_verified_server_is_verified_by_the_authorities_of_the_images() -> None:
    """Those in a home folder, which libpq looks for, no pod has: it would refuse every connection."""
    values: Values = {"postgres": {"mode": "external", "host": "db.example.com", "sslmode": "verify-full"}}
    verified = Release("dev", tuple(render(UMBRELLA, "dev", values)))
    urls = {name: secret_values(verified, name)["url"] for name in verified.secrets() if name.startswith("postgres-")}
    assert urls
    assert {url.partition("?")[2] for url in urls.values()} == {"sslmode=verify-full&sslrootcert=system"}
