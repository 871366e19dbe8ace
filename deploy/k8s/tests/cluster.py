"""An API server in memory, of which Helm takes, keeps and gives up releases as of a real one. It runs nothing: a Job is
complete as soon as it is there. What cannot be changed in a real cluster cannot be changed in this one.
"""

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import yaml

Object = dict[str, Any]

_PATH = re.compile(
    r"^(?P<api>/api/v1|/apis/[^/]+/[^/]+)(/namespaces/(?P<namespace>[^/]+))?/(?P<kind>[a-z]+)(/(?P<name>[^/]+))?$"
)
_CORE = ["ConfigMap", "Namespace", "PersistentVolumeClaim", "Secret", "Service", "ServiceAccount"]
_GROUPS = {
    "apps/v1": ["Deployment", "StatefulSet"],
    "autoscaling/v2": ["HorizontalPodAutoscaler"],
    "batch/v1": ["Job"],
    "networking.k8s.io/v1": ["Ingress", "NetworkPolicy"],
    "policy/v1": ["PodDisruptionBudget"],
}
_UNCHANGEABLE = {
    "deployments": ("selector",),
    "jobs": ("selector", "template"),
    "persistentvolumeclaims": ("accessModes", "storageClassName"),
    "services": ("clusterIP",),
    "statefulsets": ("selector", "serviceName", "volumeClaimTemplates"),
}


def plural(kind: str) -> str:
    lower = kind.lower()
    return f"{lower[:-1]}ies" if lower.endswith("y") else f"{lower}es" if lower.endswith("s") else f"{lower}s"


class Refused(Exception):
    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason = code, reason


@dataclass
class Cluster:
    url: str = ""
    objects: dict[tuple[str, str], Object] = field(default_factory=dict)
    _version: int = 0

    @property
    def kubeconfig(self) -> str:
        cluster = {"name": "memory", "cluster": {"server": self.url}}
        context = {"name": "memory", "context": {"cluster": "memory", "user": "memory"}}
        users = [{"name": "memory", "user": {}}]
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [cluster],
                "contexts": [context],
                "users": users,
                "current-context": "memory",
            }
        )

    def names(self, kind: str) -> set[str]:
        """Of all objects of a kind but Helm's own records."""
        return {name for held, name in self.objects if held == plural(kind) and not name.startswith("sh.helm.")}

    def get(self, kind: str, name: str) -> Object:
        if (found := self.objects.get((kind, name))) is None:
            raise Refused(404, "NotFound", f'{kind} "{name}" not found')
        return found

    def put(self, kind: str, content: Object, *, new: bool = False) -> Object:
        name = content["metadata"]["name"]
        old = self.objects.get((kind, name))
        if old and new:
            raise Refused(409, "AlreadyExists", f'{kind} "{name}" already exists')
        for key in _UNCHANGEABLE.get(kind, ()) if old else ():
            if content["spec"].get(key) != (old or {})["spec"].get(key):
                raise Refused(422, "Invalid", f'{kind} "{name}" is invalid: spec.{key}: field is immutable')
        self._version += 1
        uid = old["metadata"]["uid"] if old else str(uuid4())
        content["metadata"] |= {"uid": uid, "resourceVersion": str(self._version), "namespace": "quantmesh"}
        if kind == "secrets":
            written = {
                key: base64.b64encode(text.encode()).decode() for key, text in content.pop("stringData", {}).items()
            }
            content["data"] = content.get("data", {}) | written
        if kind == "jobs":
            content["status"] = {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}
        self.objects[kind, name] = content
        return content

    def delete(self, kind: str, name: str) -> Object:
        self.get(kind, name)
        return self.objects.pop((kind, name))

    def select(self, kind: str, selector: str, fields: str) -> list[Object]:
        wanted = dict(part.split("=", 1) for part in selector.split(",") if "=" in part)
        name = fields.removeprefix("metadata.name=")
        return [
            content
            for (held, own_name), content in self.objects.items()
            if held == kind
            and wanted.items() <= content["metadata"].get("labels", {}).items()
            and name in ("", own_name)
        ]


def _discovery() -> dict[str, Object]:
    """What there is, by path: versions, groups, kinds, and that fields are looked at here, not by the client."""
    kinds = {"/api/v1": _CORE} | {f"/apis/{api}": kinds for api, kinds in _GROUPS.items()}
    documents = {path.lstrip("/"): {"serverRelativeURL": f"/openapi/v3{path}"} for path in kinds}
    found: dict[str, Object] = {
        "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(api) for api in _GROUPS]},
        "/openapi/v3": {"paths": documents},
    }
    for path, names in kinds.items():
        verbs = ["create", "delete", "get", "list", "patch", "update"]
        resources = [{"name": plural(kind), "kind": kind, "namespaced": True, "verbs": verbs} for kind in names]
        listed = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": _name(path), "resources": resources}
        operations = {f"{path}/{plural(kind)}/{{name}}": {"patch": _operation(path, kind)} for kind in names}
        document = {"openapi": "3.0.0", "info": {"title": "memory", "version": "1"}, "paths": operations}
        found |= {path: listed, f"/openapi/v3{path}": document}
    return found


def _name(path: str) -> str:
    return path.removeprefix("/apis/").removeprefix("/api/")


def _group(api: str) -> Object:
    group, _, version = api.partition("/")
    only = {"groupVersion": api, "version": version}
    return {"name": group, "versions": [only], "preferredVersion": only}


def _operation(path: str, kind: str) -> Object:
    group, _, version = _name(path).rpartition("/")
    return {
        "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
        "parameters": [{"name": "fieldValidation", "in": "query"}],
    }


_DISCOVERY = _discovery()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one packet: a second one would wait for the first to be acknowledged.
    wbufsize = -1
    cluster: Cluster
    lock: threading.Lock

    def log_message(self, *_: object) -> None:
        pass

    def _serve(self) -> None:
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            with self.lock:
                answer = _DISCOVERY.get(url.path) or self._object(url.path, query, yaml.safe_load(body) if body else {})
            self._answer(200, answer)
        except Refused as refused:
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": str(refused)}
            self._answer(refused.code, status | {"reason": refused.reason, "code": refused.code})

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815  the names that http.server looks for

    def _object(self, path: str, query: dict[str, str], body: Object) -> Object:
        match = _PATH.match(path)
        if match is None:
            raise Refused(404, "NotFound", f"the server has no {path}")
        kind, name = match["kind"], match["name"] or ""
        if self.command == "GET" and not name:
            if query.get("watch"):
                raise Refused(405, "MethodNotAllowed", "nothing changes by itself here")
            items = self.cluster.select(kind, query.get("labelSelector", ""), query.get("fieldSelector", ""))
            return {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}
        if self.command == "GET":
            return self.cluster.get(kind, name)
        if self.command == "DELETE":
            return self.cluster.delete(kind, name)
        return self.cluster.put(kind, body, new=self.command == "POST")

    def _answer(self, code: int, content: Object) -> None:
        payload = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    handler = type("Handler", (_Handler,), {"cluster": cluster, "lock": threading.Lock()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    cluster.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield cluster
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
