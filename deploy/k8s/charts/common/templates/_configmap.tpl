{{/* What the process reads from its environment and is no secret: names of settings classes' fields. */}}
{{- define "common.environment" -}}
{{- $global := .root.Values.global -}}
{{- $suffix := include "common.suffix" .root -}}
{{- $services := (include "common.graph" .root | fromYaml).services -}}
QUANTMESH_ENVIRONMENT: {{ $global.environment | quote }}
QUANTMESH_LOG_LEVEL: {{ $global.logLevel | quote }}
QUANTMESH_SHUTDOWN_SECONDS: {{ $global.shutdownSeconds | quote }}
{{- range $kind, $port := .declared.ports }}
# What a service listens on for the world is its own setting.
QUANTMESH_{{ eq $kind "http" | ternary $.service $kind | upper }}_BIND: "0.0.0.0:{{ $port }}"
{{- end }}
{{- range .declared.peers }}
QUANTMESH_{{ . | upper }}_TARGET: "dns:///{{ . }}{{ $suffix }}:{{ (index $services .).ports.grpc }}"
{{- end }}
{{- if $global.tracing.enabled }}
QUANTMESH_OTLP_ENDPOINT: {{ $global.tracing.endpoint | quote }}
QUANTMESH_TRACE_SAMPLE_RATIO: {{ $global.tracing.sampleRatio | quote }}
{{- end }}
{{- if has "postgres" .declared.servers }}
QUANTMESH_DATABASE_POOL_SIZE: {{ .values.databaseConnections | quote }}
{{- end }}
{{- if has "nats" .declared.servers }}
QUANTMESH_STREAM_REPLICAS: {{ $global.streamReplicas | quote }}
{{- end }}
{{- if ne $global.color $global.activeColor }}
# Events and work for the whole mesh are the other colour's until this one is promoted.
QUANTMESH_CONSUMERS_PAUSED: "true"
{{- end }}
{{- if include "common.mtls" . }}
QUANTMESH_TLS_FOLDER: /etc/quantmesh/tls
{{- end }}
{{- if .root.Values.registry }}
QUANTMESH_{{ .service | upper }}_REGISTRY: /var/lib/quantmesh/registry
{{- end }}
# glibc's arena per thread doubles the memory of idle services.
MALLOC_ARENA_MAX: "2"
# What was freed serves the next large answer; else the kernel clears and maps it again, a quarter of its time.
MALLOC_MMAP_THRESHOLD_: "33554432"
MALLOC_TRIM_THRESHOLD_: "134217728"
{{- range $field, $value := .values.settings }}
QUANTMESH_{{ $field | upper }}: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }}
{{- end }}
{{- end -}}

{{- define "common.configMap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "common.name" . }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
data:
  {{- include "common.environment" . | nindent 2 }}
{{- end -}}
