{{/*
KEDA's, which makes the HorizontalPodAutoscaler itself. A consumer is one replica's work: more replicas take the calls
off it, so that it catches up. Workers share the jobs that wait. What waits is no work of a colour that is paused.
*/}}
{{- define "common.scaledObject" -}}
{{- $scaling := .values.autoscaling -}}
{{- if include "common.scaledByKeda" . -}}
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ include "common.name" . }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
spec:
  scaleTargetRef:
    name: {{ include "common.name" . }}
  minReplicaCount: {{ $scaling.minimum }}
  maxReplicaCount: {{ $scaling.maximum }}
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        {{- include "common.scalingBehavior" . | nindent 8 }}
  triggers:
    - type: cpu
      metricType: Utilization
      metadata:
        value: {{ $scaling.cpuPercent | quote }}
    {{- if eq .root.Values.global.color .root.Values.global.activeColor }}
    {{- range $publisher, $durables := .declared.consumers }}
    {{- range $durables }}
    - type: nats-jetstream
      metadata:
        natsServerMonitoringEndpoint: {{ tpl $.root.Values.global.keda.natsMonitoring $.root | quote }}
        account: {{ $.root.Values.global.keda.account | quote }}
        stream: qm-{{ $publisher }}
        consumer: {{ . }}
        lagThreshold: {{ $scaling.lag | quote }}
    {{- end }}
    {{- end }}
    {{- if eq .component "worker" }}
    - type: prometheus
      metadata:
        serverAddress: {{ .root.Values.global.keda.prometheus | quote }}
        query: sum(max by (kind) (quantmesh_jobs_queued{job="{{ .name }}", namespace="{{ .root.Release.Namespace }}"}))
        threshold: {{ $scaling.lag | quote }}
    {{- end }}
    {{- end }}
{{- end }}
{{- end -}}
