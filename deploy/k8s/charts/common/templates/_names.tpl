{{/* What the names of a colour's objects end in: nothing for blue. */}}
{{- define "common.suffix" -}}
{{- if ne .Values.global.color "blue" }}-{{ .Values.global.color }}{{ end -}}
{{- end -}}

{{/* `dict "root" $ "name" "auth"`: a reference from global.images. */}}
{{- define "common.image" -}}
{{- $global := .root.Values.global -}}
{{- $reference := required (printf "global.images.%s is not set" .name) (index $global.images .name) -}}
{{- if contains "/" $reference -}}
{{- $reference -}}
{{- else if or (contains "@" $reference) (contains ":" $reference) -}}
{{- printf "%s/%s" $global.registry $reference -}}
{{- else -}}
{{- printf "%s/%s:%s" $global.registry $reference ($global.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* What tells a part's pods from all others, in one colour: `dict "root" $ "name" "auth"`. */}}
{{- define "common.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/part-of: quantmesh
quantmesh/color: {{ .root.Values.global.color }}
{{- end -}}

{{/* `dict "root" $ "name" "auth" "component" "service"`. */}}
{{- define "common.labels" -}}
{{ include "common.selector" . }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/version: {{ .root.Values.global.tag | default .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end -}}

{{/* Labels of what both colours share. */}}
{{- define "common.sharedLabels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/part-of: quantmesh
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end -}}

{{/* The name of a part's objects. */}}
{{- define "common.name" -}}
{{ .name }}{{ include "common.suffix" .root }}
{{- end -}}
