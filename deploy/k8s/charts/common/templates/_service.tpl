{{/*
Headless, so that clients see every replica and spread their calls; the gateway's is what a colour's preview is asked
through, users come by the Service that both colours share.
*/}}
{{- define "common.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "common.serviceName" . }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
spec:
  clusterIP: None
  {{- if .declared.ports.grpc }}
  # Clients follow each server's own health, which is at once; an empty answer they would remember for half a minute.
  publishNotReadyAddresses: true
  {{- end }}
  selector:
    {{- include "common.selector" . | nindent 4 }}
  ports:
    {{- range $kind, $port := .declared.ports }}
    - name: {{ $kind }}
      port: {{ $port }}
      targetPort: {{ $kind }}
      appProtocol: {{ eq $kind "grpc" | ternary "grpc" "http" }}
    {{- end }}
{{- end -}}

{{- define "common.serviceName" -}}
{{- if .declared.ports.http -}}
{{ .name }}-{{ .root.Values.global.color }}
{{- else -}}
{{ include "common.name" . }}
{{- end -}}
{{- end -}}
