{{/* Both ways closed, but for the edges of the graph. */}}
{{- define "common.networkPolicy" -}}
{{- $global := .root.Values.global -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "common.name" . }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "common.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- include "common.ingressRules" . | trim | nindent 4 }}
  egress:
    {{- include "common.dnsEgress" .root | nindent 4 }}
    {{- include "common.egressRules" . | trim | nindent 4 }}
{{- end -}}

{{- define "common.ingressRules" -}}
{{- $global := .root.Values.global -}}
{{- with include "common.callers" . | fromYamlArray }}
- from:
    {{- range . }}
    - podSelector:
        matchLabels:
          {{- include "common.selector" (dict "root" $.root "name" .) | nindent 10 }}
    {{- end }}
  ports:
    - {protocol: TCP, port: {{ $.declared.ports.grpc }}}
{{- end }}
{{- if .declared.ports.http }}
- from:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ .root.Values.ingress.controller.namespace }}
      podSelector:
        matchLabels:
          {{- toYaml .root.Values.ingress.controller.podLabels | nindent 10 }}
  ports:
    - {protocol: TCP, port: {{ .declared.ports.http }}}
{{- end }}
- from:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ $global.monitoring.namespace }}
      podSelector:
        matchLabels:
          {{- toYaml $global.monitoring.podLabels | nindent 10 }}
  ports:
    - {protocol: TCP, port: {{ .declared.ports.ops }}}
{{- end -}}

{{/* A list of the parts that call this one by gRPC. */}}
{{- define "common.callers" -}}
{{- if .declared.ports.grpc -}}
{{- range $service, $declared := (include "common.graph" .root | fromYaml).services }}
{{- if has $.name $declared.peers }}
- {{ $service }}
{{- end }}
{{- if and $declared.worker (has $.name $declared.worker.peers) }}
- {{ $service }}-worker
{{- end }}
{{- end }}
{{- end -}}
{{- end -}}

{{- define "common.egressRules" -}}
{{- $global := .root.Values.global -}}
{{- $services := (include "common.graph" .root | fromYaml).services -}}
{{- range .declared.peers }}
- to:
    - podSelector:
        matchLabels:
          {{- include "common.selector" (dict "root" $.root "name" .) | nindent 10 }}
  ports:
    - {protocol: TCP, port: {{ (index $services .).ports.grpc }}}
{{- end }}
{{- range .declared.servers }}
{{- include "common.serverEgress" (dict "root" $.root "name" .) }}
{{- end }}
{{- if $global.tracing.enabled }}
- to:
    - podSelector:
        matchLabels:
          app.kubernetes.io/name: collector
          app.kubernetes.io/part-of: quantmesh
  ports:
    - {protocol: TCP, port: 4317}
{{- end }}
{{- if $global.sentry.enabled }}
- to:
    - ipBlock: {cidr: {{ $global.sentry.cidr }}}
  ports:
    - {protocol: TCP, port: 443}
{{- end }}
{{- if $global.serviceMesh.enabled }}
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ $global.serviceMesh.controlPlane.namespace }}
  ports:
    - {protocol: TCP, port: {{ $global.serviceMesh.controlPlane.port }}}
{{- end }}
{{- end -}}

{{/* To a server's pods, or to its addresses outside the cluster: `dict "root" $ "name" "redis"`. */}}
{{- define "common.serverEgress" -}}
{{- $ports := dict "postgres" (list 5432) "nats" (list 4222) "redis" (list 6379 26379) "evm" (list 8545) }}
{{- with index .root.Values.global.external .name }}
{{- range . }}
- to:
    - ipBlock: {cidr: {{ .cidr }}}
  ports:
    - {protocol: TCP, port: {{ .port }}}
{{- end }}
{{- else }}
- to:
    - podSelector:
        matchLabels:
          app.kubernetes.io/name: {{ .name }}
          app.kubernetes.io/part-of: quantmesh
  ports:
    {{- range get $ports .name }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end }}
{{- end -}}

{{- define "common.dnsEgress" -}}
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ .Values.global.dns.namespace }}
      podSelector:
        matchLabels:
          {{- toYaml .Values.global.dns.podLabels | nindent 10 }}
    {{- with .Values.global.dns.nodeCacheCidr }}
    - ipBlock: {cidr: {{ . }}}
    {{- end }}
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end -}}
