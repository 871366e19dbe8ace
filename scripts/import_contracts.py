"""A contract type for import-linter: what may be imported, where a list of what may not would never be done."""

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


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
        for line in check.metadata["broken"]:
            output.print_error(line)
            output.new_line()


def _is_below(module: str, root: str) -> bool:
    return module == root or module.startswith(f"{root}.")
