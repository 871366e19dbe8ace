{{/* Whether the node runs in the cluster: "true" or nothing. */}}
{{- define "evm.inside" -}}
{{- if and .Values.global.shared (eq .Values.mode "single") -}}
true
{{- end -}}
{{- end -}}
