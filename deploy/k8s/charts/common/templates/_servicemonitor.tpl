{{- define "common.serviceMonitor" -}}
{{- $monitoring := .root.Values.global.monitoring -}}
{{- if $monitoring.enabled -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ include "common.name" . }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
    {{- with $monitoring.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  # `job` is the part, whatever the colour.
  jobLabel: app.kubernetes.io/name
  selector:
    matchLabels:
      {{- include "common.selector" . | nindent 6 }}
      app.kubernetes.io/component: {{ .component }}
  podTargetLabels: [quantmesh/color]
  endpoints:
    - port: ops
      path: /metrics
      interval: 15s
{{- end }}
{{- end -}}
