{{/* The properties of the store's entry <path>/<service> are the variables themselves. */}}
{{- define "common.externalSecret" -}}
{{- $global := .root.Values.global -}}
{{- if and .values.secrets $global.shared (eq $global.secrets.source "external") -}}
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  name: {{ .service }}
  labels:
    {{- include "common.sharedLabels" . | nindent 4 }}
spec:
  refreshInterval: {{ $global.secrets.refreshInterval }}
  secretStoreRef:
    kind: {{ $global.secrets.store.kind }}
    name: {{ required "global.secrets.store.name: the store that holds the secrets" $global.secrets.store.name }}
  target:
    name: {{ .service }}
  data:
    {{- range $field, $_ := .values.secrets }}
    - secretKey: QUANTMESH_{{ upper $field }}
      remoteRef:
        key: {{ $global.secrets.path }}/{{ $.service }}
        property: QUANTMESH_{{ upper $field }}
    {{- end }}
{{- end }}
{{- end -}}
