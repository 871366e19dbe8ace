"""Contract types for import-linter that need no new line when a service is added."""

from pathlib import Path

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class ServicesContract(Contract):
    """No service imports another, and no library imports a service; a service is a folder of `services/`."""

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002 - import-linter passes it
        services = {f"quantmesh.{path.parent.name}" for path in Path("services").glob("*/pyproject.toml")}
        broken = [
            f"{importer} imports {imported}"
            for imported in sorted(graph.modules)
            if _top(imported) in services
            for importer in sorted(graph.find_modules_that_directly_import(imported))
            if _top(importer) != _top(imported)
        ]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        _render(check)


class AllowedImportsContract(Contract):
    """`sources` (wildcards allowed) import nothing but modules below one of `allowed`, and each their own package."""

    sources = fields.ListField(subfield=fields.ModuleExpressionField())
    allowed = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002 - import-linter passes it
        allowed: list[str] = list(self.allowed)  # type: ignore[call-overload]  # a Field's value, once parsed
        broken = []
        for expression in self.sources:  # type: ignore[attr-defined]
            for package in sorted(graph.find_matching_modules(expression.expression)):
                for module in sorted({package, *graph.find_descendants(package)}):
                    broken += [
                        f"{module} imports {imported}"
                        for imported in sorted(graph.find_modules_directly_imported_by(module))
                        if not any(_is_below(imported, root) for root in (package, *allowed))
                    ]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        _render(check)


def _render(check: ContractCheck) -> None:
    for line in check.metadata["broken"]:
        output.print_error(line)
        output.new_line()


def _top(module: str) -> str:
    """`quantmesh.auth` of `quantmesh.auth.core.model`."""
    return ".".join(module.split(".")[:2])


def _is_below(module: str, root: str) -> bool:
    return module == root or module.startswith(f"{root}.")
