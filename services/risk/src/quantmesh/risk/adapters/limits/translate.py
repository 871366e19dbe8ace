"""Limits: messages to values and back."""

from collections.abc import Collection, Mapping
from decimal import Context, Decimal

from quantmesh.api.common.v1.common_pb2 import Decimal as DecimalMessage
from quantmesh.api.risk.v1 import limits_pb2 as pb
from quantmesh.api.risk.v1 import margin_pb2, risk_pb2
from quantmesh.chassis.decimals import FRACTION_DIGITS, INTEGER_DIGITS, can_be_told, from_proto, to_proto
from quantmesh.chassis.errors import InvalidInput, Violation
from quantmesh.chassis.times import to_timestamp
from quantmesh.risk.adapters.limits.accounts import AMOUNT_LIMIT, signed
from quantmesh.risk.adapters.rpc.base import chosen
from quantmesh.risk.core.errors import InvalidLimits
from quantmesh.risk.core.limits.account import ZERO, Order
from quantmesh.risk.core.limits.check_orders import Change
from quantmesh.risk.core.limits.definition import TAIL_RULES, Limit, Method, Rule
from quantmesh.risk.core.limits.utilisation import Utilisation
from quantmesh.risk.core.limits.watch import Definition
from quantmesh.risk.core.margin import Rule as MarginRule

_RULES: Mapping[int, Rule] = {pb.LimitRule.Value(f"LIMIT_RULE_{rule.name}"): rule for rule in Rule}
_RULE_NUMBERS = {rule: pb.LimitRule.Value(f"LIMIT_RULE_{rule.name}") for rule in Rule}
_METHODS: Mapping[int, Method] = {
    risk_pb2.VALUE_AT_RISK_METHOD_UNSPECIFIED: "historical",
    risk_pb2.VALUE_AT_RISK_METHOD_HISTORICAL: "historical",
    risk_pb2.VALUE_AT_RISK_METHOD_PARAMETRIC: "parametric",
}
_METHOD_NUMBERS: Mapping[Method, risk_pb2.ValueAtRiskMethod.ValueType] = {
    "historical": risk_pb2.VALUE_AT_RISK_METHOD_HISTORICAL,
    "parametric": risk_pb2.VALUE_AT_RISK_METHOD_PARAMETRIC,
}
_MARGIN_RULES: Mapping[int, MarginRule] = {
    margin_pb2.MARGIN_RULE_UNSPECIFIED: "regulation_t",
    margin_pb2.MARGIN_RULE_REGULATION_T: "regulation_t",
    margin_pb2.MARGIN_RULE_PORTFOLIO: "portfolio",
}
_MARGIN_RULE_NUMBERS: Mapping[MarginRule, margin_pb2.MarginRule.ValueType] = {
    "regulation_t": margin_pb2.MARGIN_RULE_REGULATION_T,
    "portfolio": margin_pb2.MARGIN_RULE_PORTFOLIO,
}
_DEFAULT_CONFIDENCE = 0.99
# What only some rules are measured with.
_PARAMETERS: Mapping[str, Collection[Rule]] = {
    "method": TAIL_RULES,
    "confidence": TAIL_RULES,
    "horizon_days": TAIL_RULES,
    "margin_rule": {Rule.MARGIN_UTILISATION},
}
_PLACES = 8
_SMALLEST = Decimal(1).scaleb(-_PLACES)
_WIDE = Context(prec=INTEGER_DIGITS + FRACTION_DIGITS)


def limit_from(message: pb.Limit, place: str) -> Limit:
    """Raises UnknownChoice, InvalidLimits or InvalidInput with the field below `place`."""
    rule = chosen(f"{place}.rule", message.rule, _RULES)
    strays = [field for field, rules in _PARAMETERS.items() if getattr(message, field) and rule not in rules]
    if strays:
        raise InvalidLimits([Violation(f"{place}.{field}", _stray(field, rule)) for field in strays])
    return Limit(
        rule=rule,
        limit=from_proto(message.limit, f"{place}.limit"),
        warning=from_proto(message.warning, f"{place}.warning") if message.HasField("warning") else None,
        symbol=message.symbol,
        method=chosen(f"{place}.method", message.method, _METHODS),
        confidence=message.confidence or _DEFAULT_CONFIDENCE,
        horizon_days=message.horizon_days or 1,
        margin_rule=chosen(f"{place}.margin_rule", message.margin_rule, _MARGIN_RULES),
    )


def _stray(field: str, rule: Rule) -> str:
    return f"is of {' and '.join(sorted(_PARAMETERS[field]))} alone, and this is {rule}"


def limit_to(limit: Limit) -> pb.Limit:
    """With the parameters that its rule has."""
    bound = to_proto(limit.limit) if limit.limit.is_finite() else None
    message = pb.Limit(rule=_RULE_NUMBERS[limit.rule], symbol=limit.symbol, limit=bound)
    if limit.warning is not None:
        message.warning.CopyFrom(to_proto(limit.warning))
    if limit.rule in TAIL_RULES:
        message.method = _METHOD_NUMBERS[limit.method]
        message.confidence = limit.confidence
        message.horizon_days = limit.horizon_days
    if limit.rule is Rule.MARGIN_UTILISATION:
        message.margin_rule = _MARGIN_RULE_NUMBERS[limit.margin_rule]
    return message


def number_to(value: Decimal | None) -> DecimalMessage | None:
    """To eight places at most; None for what is no number, or larger than can be told."""
    if value is None or not can_be_told(value):
        return None
    has_more = int(value.as_tuple().exponent) < -_PLACES
    return to_proto(value.quantize(_SMALLEST, context=_WIDE) if has_more else value)


def definition_to(definition: Definition) -> pb.LimitDefinition:
    return pb.LimitDefinition(
        portfolio_id=str(definition.portfolio_id),
        version=definition.version,
        recorded_at=None if definition.recorded_at is None else to_timestamp(definition.recorded_at),
        limits=[limit_to(limit) for limit in definition.limits],
    )


def utilisation_to(found: Utilisation) -> pb.LimitUtilisation:
    return pb.LimitUtilisation(
        limit=limit_to(found.limit),
        value=number_to(found.reading.value),
        utilisation=found.ratio,
        state=pb.LimitState.Value(f"LIMIT_STATE_{found.state.name}"),
        symbol=found.reading.symbol,
        reason=found.reading.reason,
    )


def order_from(message: pb.CheckedOrder, place: str) -> Order:
    quantity = signed(message.side, message.quantity, place)
    price = _price(message, f"{place}.price") if message.HasField("price") else None
    return Order(message.symbol, quantity, price, message.rests)


def _price(message: pb.CheckedOrder, place: str) -> Decimal:
    price = from_proto(message.price, place)
    if not ZERO < price < AMOUNT_LIMIT:
        description = f"must be greater than zero and less than {AMOUNT_LIMIT}"
        raise InvalidInput(f"{place} {description}.", violations=[Violation(place, description)])
    return price


def change_to(change: Change) -> pb.LimitChange:
    return pb.LimitChange(
        limit=limit_to(change.limit),
        symbol=change.after.symbol,
        before=number_to(change.before.value),
        after=number_to(change.after.value),
        reason=change.after.reason or change.before.reason,
        denied=change.denied,
    )
