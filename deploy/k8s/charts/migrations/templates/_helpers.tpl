{{- define "migrations.labels" -}}
{{- include "common.labels" (dict "root" . "name" "migrations" "component" "job") -}}
{{- end -}}
