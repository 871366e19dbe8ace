{{/* Written by scripts/declare_graph.py from [tool.quantmesh] of each pyproject.toml. */}}
{{- define "common.graph" -}}
services:
  auth: {"ports": {"grpc": 15051, "ops": 9101}, "servers": ["postgres", "nats", "redis"], "peers": []}
  blockchain: {"ports": {"grpc": 15057, "ops": 9107}, "servers": ["postgres", "nats", "evm"], "peers": ["auth"], "consumers": {"portfolio": ["blockchain-anchor-transactions"]}}
  gateway: {"ports": {"http": 8080, "ops": 9100}, "servers": ["nats", "redis"], "peers": ["auth", "market", "portfolio", "pricing", "risk", "prediction", "blockchain"]}
  market: {"ports": {"grpc": 15052, "ops": 9102}, "servers": ["postgres", "nats", "redis"], "peers": ["auth"]}
  portfolio: {"ports": {"grpc": 15053, "ops": 9103}, "servers": ["postgres", "nats"], "peers": ["auth", "market", "risk"], "consumers": {"auth": ["portfolio-kyc-decisions"], "risk": ["portfolio-risk-breaches", "portfolio-risk-clearances"]}, "worker": {"servers": ["postgres"], "peers": ["auth", "market"]}}
  prediction: {"ports": {"grpc": 15056, "ops": 9106}, "servers": ["postgres", "nats", "redis"], "peers": ["auth", "market"], "consumers": {"market": ["prediction-drop-forecasts"]}, "worker": {"servers": ["postgres"], "peers": ["auth", "market"]}}
  pricing: {"ports": {"grpc": 15054, "ops": 9104}, "servers": ["postgres"], "peers": ["auth"], "worker": {"servers": ["postgres"], "peers": []}}
  risk: {"ports": {"grpc": 15055, "ops": 9105}, "servers": ["postgres", "nats"], "peers": ["auth", "market", "portfolio"], "consumers": {"portfolio": ["risk-limits"]}}
{{- end -}}
