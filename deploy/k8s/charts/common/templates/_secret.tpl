{{/* The part's own secrets, for both colours. */}}
{{- define "common.secret" -}}
{{- $global := .root.Values.global -}}
{{- if and .values.secrets $global.shared (eq $global.secrets.source "generate") -}}
{{- $kept := (lookup "v1" "Secret" .root.Release.Namespace .service).data | default dict -}}
apiVersion: v1
kind: Secret
metadata:
  name: {{ .service }}
  labels:
    {{- include "common.sharedLabels" . | nindent 4 }}
  annotations:
    # What is encrypted with a key is lost with it.
    helm.sh/resource-policy: keep
data:
  {{- range $field, $secret := .values.secrets }}
  {{- $name := printf "QUANTMESH_%s" (upper $field) }}
  {{ $name }}: {{ include "common.secretValue" (dict "field" $field "secret" $secret "kept" (index $kept $name)) | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* In base64, as a Secret holds it: what is given, what is there already, or what is made now. */}}
{{- define "common.secretValue" -}}
{{- if .secret.value -}}
{{- .secret.value | b64enc -}}
{{- else if .kept -}}
{{- .kept -}}
{{- else if eq (.secret.generate | default "") "key" -}}
{{- randBytes 32 | b64enc -}}
{{- else if eq (.secret.generate | default "") "password" -}}
{{- randAlphaNum 32 | b64enc -}}
{{- else -}}
{{- fail (printf "secrets.%s: give `value` or `generate`, or take secrets from elsewhere by global.secrets.source" .field) -}}
{{- end -}}
{{- end -}}
