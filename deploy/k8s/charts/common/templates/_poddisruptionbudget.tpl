{{/* The replicas that there are at least. */}}
{{- define "common.minimum" -}}
{{ .values.autoscaling.enabled | ternary .values.autoscaling.minimum .values.replicas }}
{{- end -}}

{{/* One pod at a time may be taken away; a single replica has nothing to keep. */}}
{{- define "common.podDisruptionBudget" -}}
{{- if gt (include "common.minimum" . | int) 1 -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "common.name" . }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  # A pod that is not ready serves nobody: it does not hold up a drain.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "common.selector" . | nindent 6 }}
{{- end }}
{{- end -}}
