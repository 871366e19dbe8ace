{{- define "common.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* Where the project's own images run. */}}
{{- define "common.nodes" -}}
nodeSelector:
  {{- toYaml .Values.global.nodeSelector | nindent 2 }}
{{- end -}}

{{- define "common.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/*
Replicas of one rollout apart from each other: over zones where there are some, and over nodes. A node that takes no pod,
since it is drained or somebody else's, is none that should have one: what left it would wait for its return.
*/}}
{{- define "common.spread" -}}
{{- $rules := dict "topology.kubernetes.io/zone" "ScheduleAnyway" "kubernetes.io/hostname" .root.Values.global.spread }}
{{- range $key, $rule := $rules }}
- topologyKey: {{ $key }}
  maxSkew: 1
  whenUnsatisfiable: {{ $rule }}
  matchLabelKeys: [pod-template-hash]
  nodeTaintsPolicy: Honor
  labelSelector:
    matchLabels:
      {{- include "common.selector" $ | nindent 6 }}
{{- end }}
{{- end -}}

{{/*
From the signal on: the list of addresses is followed (preStop), requests cease to come (2 s at most), calls in flight
end, and by 1.4 times what these are given the process has ended; then something to spare.
*/}}
{{- define "common.gracePeriodSeconds" -}}
{{- $global := .root.Values.global -}}
{{- add $global.preStopSeconds (mulf 1.4 $global.shutdownSeconds | ceil) 2 3 -}}
{{- end -}}
