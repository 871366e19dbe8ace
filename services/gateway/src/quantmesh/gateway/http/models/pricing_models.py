"""Which fields of a contract belong to which pricing model."""

from collections.abc import Collection, Mapping
from typing import Annotated, Literal

from pydantic import Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from quantmesh.gateway.http.models.base import Body

Model = Literal["black_scholes", "black_76", "bachelier", "heston", "bates", "sabr", "sabr_normal"]
Accuracy = Literal["fast", "accurate", "high_precision"]
GreekOrders = Annotated[
    bool | Literal["first", "all"],
    Field(
        description="`first` or true: delta, gamma, vega, theta and rho; `all`: in closed forms to the third order too."
    ),
]

_HESTON = ("v0", "kappa", "theta", "sigma", "rho")
_SABR = ("alpha", "beta", "rho", "nu", "shift")
PARAMETERS: dict[str, tuple[str, ...]] = {
    "black_scholes": ("volatility",),
    "black_76": ("volatility",),
    "bachelier": ("volatility",),
    "heston": _HESTON,
    "bates": (*_HESTON, "jump_intensity", "jump_mean", "jump_volatility"),
    "sabr": _SABR,
    "sabr_normal": _SABR,
}
ON_FORWARD = frozenset({"black_76", "bachelier", "sabr", "sabr_normal"})
_OPTIONAL = frozenset({"dividend_yield", "shift"})
_OWN_FIELDS = frozenset({"spot", "forward", "dividend_yield", "price"}.union(*PARAMETERS.values()))


class DividendBody(Body):
    time: Annotated[float, Field(gt=0, description="In years from now.")]
    amount: Annotated[float, Field(ge=0)]


def check_fields(
    model: Model, given: Collection[str], *, asked: tuple[str, ...] | None = None, place: tuple[str, ...] = ()
) -> None:
    """Raises ValidationError for a field that `model` needs and is not there, or that is there for another model.

    `asked` replaces the model's parameters where something else is asked for; `place` is where the fields lie.
    """
    wanted = PARAMETERS[model] if asked is None else asked
    taken = ("forward", *wanted) if model in ON_FORWARD else ("spot", "dividend_yield", *wanted)
    check_places(
        {(*place, name): f"{model} needs it" for name in taken if name not in _OPTIONAL.union(given)},
        {
            (*place, name): f"{model} does not take it"
            for name in sorted(_OWN_FIELDS.intersection(given).difference(taken))
        },
    )


def check_places(missing: Mapping[tuple[str, ...], str], unwanted: Mapping[tuple[str, ...], str]) -> None:
    """Raises ValidationError with each place and what is wrong there, if there is any."""
    errors = [
        InitErrorDetails(type=PydanticCustomError(kind, detail), loc=place, input=None)
        for kind, places in (("missing", missing), ("extra_forbidden", unwanted))
        for place, detail in places.items()
    ]
    if errors:
        raise ValidationError.from_exception_data("body", errors)
