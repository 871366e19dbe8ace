{{/* What the servers' charts share: Postgres, NATS, Redis and the EVM node. */}}

{{- define "server.labels" -}}
{{- include "common.sharedLabels" (dict "root" . "name" .Chart.Name "component" "server") -}}
{{- end -}}

{{- define "server.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/part-of: quantmesh
{{- end -}}

{{/* Who declares this server: services under `services`, and the names of their pods and workers' under `pods`. */}}
{{- define "server.clients" -}}
{{- $services := list -}}
{{- $pods := list -}}
{{- range $name, $service := (include "common.graph" . | fromYaml).services -}}
{{- if has $.Chart.Name $service.servers -}}
{{- $services = append $services $name -}}
{{- $pods = append $pods $name -}}
{{- end -}}
{{- if has $.Chart.Name (dig "worker" "servers" list $service) -}}
{{- $services = append $services $name -}}
{{- $pods = append $pods (printf "%s-worker" $name) -}}
{{- end -}}
{{- end -}}
{{- dict "services" (uniq $services) "pods" $pods | toYaml -}}
{{- end -}}

{{/* Those pods, of either colour. */}}
{{- define "server.clientPods" -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/part-of: quantmesh
    matchExpressions:
      - key: app.kubernetes.io/name
        operator: In
        values:
          {{- (include "server.clients" . | fromYaml).pods | toYaml | nindent 10 }}
{{- end -}}

{{/* What every pod that is not a service's begins with: `dict "root" $ "account" name of its ServiceAccount`. */}}
{{- define "server.podDefaults" -}}
serviceAccountName: {{ .account }}
automountServiceAccountToken: false
{{- with .root.Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "common.podSecurity" .root | nindent 2 }}
{{- end -}}

{{/* Has Prometheus scrape the port `metrics` of the server's pods; `job` is the server. */}}
{{- define "server.podMonitor" -}}
{{- $monitoring := .Values.global.monitoring -}}
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: {{ .Chart.Name }}
  labels:
    {{- include "server.labels" . | nindent 4 }}
    {{- with $monitoring.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  jobLabel: app.kubernetes.io/name
  selector:
    matchLabels:
      {{- include "server.selector" . | nindent 6 }}
  podMetricsEndpoints:
    - port: metrics
      path: /metrics
      interval: 30s
{{- end -}}

{{/* Who may scrape. */}}
{{- define "server.monitoringPods" -}}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ .Values.global.monitoring.namespace }}
  podSelector:
    matchLabels:
      {{- toYaml .Values.global.monitoring.podLabels | nindent 6 }}
{{- end -}}

{{/* One pod per node, since with two of three on one that fails the quorum is gone; over zones where there are some. */}}
{{- define "server.spread" -}}
topologySpreadConstraints:
  {{- range $key, $rule := dict "topology.kubernetes.io/zone" "ScheduleAnyway" "kubernetes.io/hostname" .Values.global.spread }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: {{ $rule }}
    nodeTaintsPolicy: Honor
    labelSelector:
      matchLabels:
        {{- include "server.selector" $ | nindent 8 }}
  {{- end }}
{{- end -}}

{{/*
The password in a Secret: what it holds already, or a fresh one. Begins with a letter, since NATS reads what looks like
a number as one. `dict "root" $ "secret" name`.
*/}}
{{- define "server.password" -}}
{{- $found := lookup "v1" "Secret" .root.Release.Namespace .secret -}}
{{- if $found -}}
{{- index $found.data "password" | b64dec -}}
{{- else -}}
{{- printf "q%s" (randAlphaNum 39) -}}
{{- end -}}
{{- end -}}

{{/*
The Secret with a server's user: `username`, `password`, and `url` for its client. Where `global.secrets.source` is
`generate` the password is made once; the Secret stays when the release goes, as the volumes do whose data it opens. One
that an upgrade brings in must be there before that upgrade's migrations: it comes as a hook then, and Helm takes it
over with the next upgrade, for which it carries Helm's own marks. Where it is `external` an ExternalSecret makes it of
the remote entry <path>/<secret>, property `password`: letters and digits alone, since they stand in addresses.
`dict "root" $ "secret" name "username" name "scheme" scheme "address" host:port/path`, and "labels" of the Secret.
*/}}
{{- define "server.login" -}}
{{- $source := .root.Values.global.secrets.source -}}
{{- if eq $source "generate" -}}
{{- $password := include "server.password" . -}}
apiVersion: v1
kind: Secret
metadata:
  name: {{ .secret }}
  labels:
    {{- include "server.labels" .root | nindent 4 }}
    {{- with .labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    helm.sh/resource-policy: keep
    {{- if and .root.Release.IsUpgrade (not (lookup "v1" "Secret" .root.Release.Namespace .secret)) }}
    helm.sh/hook: pre-upgrade
    helm.sh/hook-weight: "-10"
    meta.helm.sh/release-name: {{ .root.Release.Name }}
    meta.helm.sh/release-namespace: {{ .root.Release.Namespace }}
    {{- end }}
type: kubernetes.io/basic-auth
stringData:
  username: {{ .username }}
  password: {{ $password }}
  url: {{ .scheme }}://{{ .username }}:{{ $password }}@{{ .address }}
{{- else if eq $source "external" -}}
{{- $data := dict "username" .username "password" "{{ .password }}" -}}
{{- $_ := set $data "url" (printf "%s://%s:{{ .password }}@%s" .scheme .username .address) -}}
{{- include "server.externalSecret" (dict "root" .root "secret" .secret "property" "password"
  "type" "kubernetes.io/basic-auth" "data" $data "labels" .labels) -}}
{{- end -}}
{{- end -}}

{{/*
An ExternalSecret that makes the Secret `secret` of one property of the remote entry <path>/<secret>, which the
templates of `data` use. `dict "root" $ "secret" name "property" name "type" type "data" (dict key template ...)`, and
"labels" of the Secret.
*/}}
{{- define "server.externalSecret" -}}
{{- $secrets := .root.Values.global.secrets -}}
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  name: {{ .secret }}
  labels:
    {{- include "server.labels" .root | nindent 4 }}
spec:
  refreshInterval: {{ $secrets.refreshInterval }}
  secretStoreRef:
    kind: {{ $secrets.store.kind }}
    name: {{ required "global.secrets.store.name: the store that holds the passwords" $secrets.store.name }}
  target:
    name: {{ .secret }}
    template:
      type: {{ .type }}
      {{- with .labels }}
      metadata:
        labels:
          {{- toYaml . | nindent 10 }}
      {{- end }}
      data:
        {{- range $key, $template := .data }}
        {{ $key }}: {{ $template | quote }}
        {{- end }}
  data:
    - secretKey: {{ .property }}
      remoteRef:
        key: {{ $secrets.path }}/{{ .secret }}
        property: {{ .property }}
{{- end -}}

{{/* A volume that a StatefulSet keeps. */}}
{{- define "server.volumeClaim" -}}
metadata:
  name: data
  labels:
    {{- include "server.selector" . | nindent 4 }}
spec:
  accessModes: [ReadWriteOnce]
  {{- with .Values.storage.class }}
  storageClassName: {{ . }}
  {{- end }}
  resources:
    requests:
      storage: {{ .Values.storage.size }}
{{- end -}}
