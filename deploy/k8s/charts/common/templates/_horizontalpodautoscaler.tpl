{{/* Whether KEDA scales the part: "true" or nothing. */}}
{{- define "common.scaledByKeda" -}}
{{- $waits := or .declared.consumers (eq .component "worker") -}}
{{- if and .values.autoscaling.enabled .root.Values.global.keda.enabled $waits -}}
true
{{- end -}}
{{- end -}}

{{- define "common.horizontalPodAutoscaler" -}}
{{- $scaling := .values.autoscaling -}}
{{- if and $scaling.enabled (not (include "common.scaledByKeda" .)) -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "common.name" . }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "common.name" . }}
  minReplicas: {{ $scaling.minimum }}
  maxReplicas: {{ $scaling.maximum }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ $scaling.cpuPercent }}
    {{- if .root.Values.global.customMetrics.enabled }}
    {{- include "common.ownMetric" . | nindent 4 }}
    {{- end }}
  behavior:
    {{- include "common.scalingBehavior" . | nindent 4 }}
{{- end }}
{{- end -}}

{{/* Of a service what each of its pods says; of workers the one queue that all of them see. */}}
{{- define "common.ownMetric" -}}
{{- $metric := .values.autoscaling.metric -}}
{{- $type := eq .component "worker" | ternary "External" "Pods" -}}
- type: {{ $type }}
  {{ lower $type }}:
    metric:
      name: {{ $metric.name }}
      {{- if eq $type "External" }}
      selector:
        matchLabels:
          job: {{ .name }}
      {{- end }}
    target:
      type: AverageValue
      averageValue: {{ $metric.average | quote }}
{{- end -}}

{{/* Up at once, by half or two pods; down slowly, since connections stay where they are for minutes. */}}
{{- define "common.scalingBehavior" -}}
scaleUp:
  stabilizationWindowSeconds: 0
  selectPolicy: Max
  policies:
    - {type: Percent, value: 50, periodSeconds: 15}
    - {type: Pods, value: 2, periodSeconds: 15}
scaleDown:
  stabilizationWindowSeconds: 300
  policies:
    - {type: Pods, value: 1, periodSeconds: 60}
{{- end -}}
