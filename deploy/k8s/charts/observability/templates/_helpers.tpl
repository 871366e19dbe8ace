{{- define "collector.enabled" -}}
{{- if and .Values.global.shared .Values.collector.enabled -}}
true
{{- end -}}
{{- end -}}

{{- define "collector.labels" -}}
{{- include "common.sharedLabels" (dict "root" . "name" "collector" "component" "server") -}}
{{- end -}}

{{- define "collector.selector" -}}
app.kubernetes.io/name: collector
app.kubernetes.io/part-of: quantmesh
{{- end -}}

{{/* A file of the configuration; fails where there is none of that name. */}}
{{- define "collector.file" -}}
{{- $content := .root.Files.Get (printf "files/%s" .name) -}}
{{- required (printf "observability: there is no file %s" .name) $content -}}
{{- end -}}

{{/* Four fifths of the memory limit, which is in Mi or Gi, for Go's garbage collector. */}}
{{- define "collector.goMemory" -}}
{{- $limit := .Values.collector.resources.limits.memory -}}
{{- $mebibytes := trimSuffix "Mi" $limit | int -}}
{{- if hasSuffix "Gi" $limit -}}
{{- $mebibytes = mul 1024 (trimSuffix "Gi" $limit | int) -}}
{{- end -}}
{{- div (mul $mebibytes 4) 5 }}MiB
{{- end -}}
