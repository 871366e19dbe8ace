{{/* A user per service that declares NATS, and the one by which the nodes of a cluster know each other. */}}
{{- define "nats.users" -}}
{{- $users := (include "server.clients" . | fromYaml).services -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- $users = append $users "cluster" -}}
{{- end -}}
{{- dict "names" $users | toYaml -}}
{{- end -}}

{{/* The environment variable with a user's password. */}}
{{- define "nats.passwordVariable" -}}
NATS_PASSWORD_{{ . | upper | replace "-" "_" }}
{{- end -}}

{{/*
What a service may not publish: what another tells live, and events, and dead letters, in another's name. Those the gateway
may, by which an operator has a dead letter published again.
*/}}
{{- define "nats.denied" -}}
{{- $denied := list -}}
{{- range $service, $subjects := dict "market" (list "quotes.>" "ticks.>") "portfolio" (list "early.>") -}}
{{- if ne $service $.service -}}
{{- $denied = concat $denied $subjects -}}
{{- end -}}
{{- end -}}
{{- if ne .service "gateway" -}}
{{- range without (keys (include "common.graph" .root | fromYaml).services | sortAlpha) .service -}}
{{- $denied = concat $denied (list (printf "qm.%s.>" .) (printf "qm.dead.%s.>" .)) -}}
{{- end -}}
{{- end -}}
{{- toRawJson $denied -}}
{{- end -}}

{{- define "nats.configuration" -}}
server_name: $POD_NAME
listen: "0.0.0.0:4222"
http: "0.0.0.0:8222"
pid_file: /var/run/nats/nats.pid
# Clients are asked to go elsewhere, a few at a time, before the node ends.
lame_duck_grace_period: 5s
lame_duck_duration: 30s
jetstream {
  store_dir: /data
  max_file_store: {{ .Values.maximumFileStore }}
  max_memory_store: 64MB
  sync_interval: {{ .Values.syncInterval | quote }}
}
authorization {
  users: [
    {{- range (include "server.clients" . | fromYaml).services }}
    {
      user: {{ . }}, password: ${{ include "nats.passwordVariable" . }}
      permissions: {publish: {deny: {{ include "nats.denied" (dict "root" $ "service" .) }}}}
    }
    {{- end }}
  ]
}
{{- if gt (int .Values.replicas) 1 }}
cluster {
  name: quantmesh
  listen: "0.0.0.0:6222"
  authorization {user: cluster, password: $NATS_PASSWORD_CLUSTER}
  routes: [
    {{- range until (int .Values.replicas) }}
    $NATS_ROUTE_{{ . }}
    {{- end }}
  ]
}
{{- end }}
{{- end -}}
